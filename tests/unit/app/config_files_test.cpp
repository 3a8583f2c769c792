// SPDX-License-Identifier: Apache-2.0
#include "app/config_files.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <support/temporary_folder.hpp>

using namespace hks;
using namespace hks::app;
using namespace hks::test;

namespace {

using Keys = std::vector<std::string>;

/// A certificate of its own and its key, as two files.
class Pair {
  public:
    Pair(const TemporaryFolder& folder, const std::string& name)
        : cert(folder.file(name + ".crt")), key(folder.file(name + ".key")) {
        EVP_PKEY* pair = EVP_EC_gen("P-256");
        X509* certificate = X509_new();
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
        X509_set_pubkey(certificate, pair);
        X509_sign(certificate, pair, EVP_sha256());
        BIO* out = BIO_new_file(cert.c_str(), "w");
        PEM_write_bio_X509(out, certificate);
        BIO_free(out);
        out = BIO_new_file(key.c_str(), "w");
        PEM_write_bio_PrivateKey(out, pair, nullptr, nullptr, 0, nullptr, nullptr);
        BIO_free(out);
        X509_free(certificate);
        EVP_PKEY_free(pair);
    }
    const std::string cert, key;
};

struct Fixture {
    TemporaryFolder folder;
    ServerConfig config;
    Fixture() {
        config.data_dir = folder.file("not/made/yet");
        config.master_key_file = config.data_dir + "/master-key";
    }
    Keys wrong() const {
        Keys keys;
        for (const auto& field : check_files(config)) keys.push_back(field.field);
        return keys;
    }
    std::string words() const { return check_files(config).at(0).message; }
};

}  // namespace

TEST_CASE("a data directory that is not made yet is fine") {
    Fixture f;
    CHECK(f.wrong().empty());
    CHECK_FALSE(std::filesystem::exists(f.folder.file("not")));
}

TEST_CASE("a certificate and its key are fine, and no others") {
    Fixture f;
    const Pair one(f.folder, "one"), two(f.folder, "two");
    f.config.tls_cert = one.cert;
    f.config.tls_key = one.key;
    CHECK(f.wrong().empty());
    f.config.tls_key = two.key;
    CHECK(f.wrong() == Keys{"tls.key"});
    CHECK_THAT(f.words(), Catch::Contains(two.key) && Catch::Contains(one.cert));
    f.config.tls_key = one.cert;
    CHECK(f.wrong() == Keys{"tls.key"});
    f.config.tls_cert = one.key;
    CHECK(f.wrong() == Keys{"tls.cert", "tls.key"});
}

TEST_CASE("every file that cannot be read is told, with its key and its name") {
    Fixture f;
    f.config.tls_cert = "/nonexistent/cert";
    f.config.tls_key = f.folder.path().string();
    f.config.master_key_file = "/nonexistent/folder/key";
    CHECK(f.wrong() == Keys{"tls.cert", "tls.key", "secrets.master_key_file"});
    CHECK_THAT(f.words(), Catch::Contains("/nonexistent/cert") && Catch::Contains("No such file"));
    f.config.master_key = std::string(64, 'a');
    CHECK(f.wrong() == Keys{"tls.cert", "tls.key"});
}

TEST_CASE("a master key's file may be there, or may be made in a folder that is") {
    Fixture f;
    f.config.master_key_file = f.folder.file("key");
    CHECK(f.wrong().empty());
    write_file(f.folder.file("key"), std::string(64, 'a'));
    CHECK(f.wrong().empty());
    f.config.master_key_file = f.folder.file("key/inside");
    CHECK(f.wrong() == Keys{"secrets.master_key_file"});
    f.config.master_key_file = f.folder.path().string();
    CHECK(f.wrong() == Keys{"secrets.master_key_file"});
}
