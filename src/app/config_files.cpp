// SPDX-License-Identifier: Apache-2.0
#include "config_files.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace hks::app {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

/// "" or why the file cannot be read.
std::string unreadable(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || ::access(path.c_str(), R_OK) != 0)
        return "the file " + path + " cannot be read: " + std::strerror(errno);
    if (S_ISDIR(status.st_mode)) return "the file " + path + " cannot be read: it is a folder";
    return {};
}

Bio open_file(const std::string& path) {
    return {BIO_new_file(path.c_str(), "r"), &BIO_free};
}

Certificate read_certificate(const std::string& path) {
    const Bio file = open_file(path);
    return {file ? PEM_read_bio_X509_AUX(file.get(), nullptr, nullptr, nullptr) : nullptr, &X509_free};
}

/// A key with a password is one that nobody is there to open: it must not ask on the terminal.
int no_password(char*, int, int, void*) {
    return -1;
}

Key read_key(const std::string& path) {
    const Bio file = open_file(path);
    return {file ? PEM_read_bio_PrivateKey(file.get(), nullptr, no_password, nullptr) : nullptr,
            &EVP_PKEY_free};
}

void check_tls(const ServerConfig& config, std::vector<FieldError>& found) {
    Certificate certificate(nullptr, &X509_free);
    Key key(nullptr, &EVP_PKEY_free);
    if (!config.tls_cert.empty()) {
        std::string problem = unreadable(config.tls_cert);
        if (problem.empty() && !(certificate = read_certificate(config.tls_cert)))
            problem = "the file " + config.tls_cert + " does not begin with a certificate in PEM";
        if (!problem.empty()) found.push_back({"tls.cert", problem, 0});
    }
    if (!config.tls_key.empty()) {
        std::string problem = unreadable(config.tls_key);
        if (problem.empty() && !(key = read_key(config.tls_key)))
            problem =
                "the file " + config.tls_key + " holds no private key in PEM that opens without a password";
        if (!problem.empty()) found.push_back({"tls.key", problem, 0});
    }
    if (certificate && key && X509_check_private_key(certificate.get(), key.get()) != 1)
        found.push_back(
            {"tls.key",
             "the key in " + config.tls_key + " is not that of the certificate in " + config.tls_cert, 0});
    // What a failed attempt left there would be taken for the failure of a later connection.
    ERR_clear_error();
}

void check_master_key(const ServerConfig& config, std::vector<FieldError>& found) {
    if (!config.master_key.empty()) return;
    struct stat status {};
    const std::string& file = config.master_key_file;
    if (::stat(file.c_str(), &status) == 0) {
        std::string problem = unreadable(file);
        if (problem.empty() && !S_ISREG(status.st_mode)) problem = file + " is not a plain file";
        if (!problem.empty()) found.push_back({"secrets.master_key_file", problem, 0});
        return;
    }
    const std::string folder = std::filesystem::path(file).parent_path();
    // The data directory is made, and its parents with it.
    if (folder == config.data_dir) return;
    if (::stat(folder.c_str(), &status) != 0)
        found.push_back({"secrets.master_key_file",
                         "the folder " + folder + " cannot be used: " + std::strerror(errno), 0});
    else if (!S_ISDIR(status.st_mode))
        found.push_back({"secrets.master_key_file", folder + " is not a folder", 0});
    else if (::access(folder.c_str(), W_OK | X_OK) != 0)
        found.push_back({"secrets.master_key_file",
                         "no file can be made in the folder " + folder + ": " + std::strerror(errno), 0});
}

}  // namespace

std::vector<FieldError> check_files(const ServerConfig& config) {
    std::vector<FieldError> found;
    check_tls(config, found);
    check_master_key(config, found);
    return found;
}

}  // namespace hks::app
