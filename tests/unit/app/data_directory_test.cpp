// SPDX-License-Identifier: Apache-2.0
#include "app/data_directory.hpp"

#include <catch2/catch.hpp>
#include <support/results.hpp>
#include <support/temporary_folder.hpp>
#include <sys/stat.h>
#include <unistd.h>

using namespace hks;
using namespace hks::app;
using namespace hks::test;

namespace {
unsigned mode_of(const std::string& path) {
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return info.st_mode & 0777;
}
}  // namespace

TEST_CASE("a data directory is made for its owner alone, with its parents") {
    TemporaryFolder folder;
    DataDirectory directory(folder.file("a/b/hks"));
    take(directory.open());
    CHECK(mode_of(folder.file("a/b/hks")) == 0700);
    CHECK(mode_of(folder.file("a/b/hks/lock")) == 0600);
}

TEST_CASE("a second server is refused with the number of the first and what to do") {
    TemporaryFolder folder;
    DataDirectory first(folder.file("hks")), second(folder.file("hks"));
    take(first.open());
    const auto refused = second.open();
    CHECK(failure(refused) == "CONFLICT");
    CHECK(message(refused).find("pid " + std::to_string(::getpid())) != std::string::npos);
    CHECK(message(refused).find("--data-dir") != std::string::npos);
}

TEST_CASE("the lock goes with its holder") {
    TemporaryFolder folder;
    { take(DataDirectory(folder.file("hks")).open()); }
    take(DataDirectory(folder.file("hks")).open());
}

TEST_CASE("the admin token is a file for its owner alone, without leftovers") {
    TemporaryFolder folder;
    DataDirectory directory(folder.file("hks"));
    take(directory.open());
    write_file(folder.file("hks/admin-token.new"), "left by a crash");
    CHECK(take(directory.read_admin_token()).empty());
    take(directory.write_admin_token("hks_secret"));
    CHECK(take(directory.read_admin_token()) == "hks_secret");
    CHECK(read_file(folder.file("hks/admin-token")) == "hks_secret\n");
    CHECK(mode_of(folder.file("hks/admin-token")) == 0600);
    CHECK_FALSE(std::filesystem::exists(folder.file("hks/admin-token.new")));
}

TEST_CASE("a data directory that cannot be made says why and what to do") {
    TemporaryFolder folder;
    write_file(folder.file("file"), "");
    DataDirectory directory(folder.file("file/hks"));
    const auto refused = directory.open();
    CHECK(message(refused).find("file/hks") != std::string::npos);
    CHECK(message(refused).find("--data-dir") != std::string::npos);
}

TEST_CASE("a lock that is a link is not followed") {
    TemporaryFolder folder;
    write_file(folder.file("victim"), "keep");
    std::filesystem::create_directories(folder.file("hks"));
    std::filesystem::create_symlink(folder.file("victim"), folder.file("hks/lock"));
    DataDirectory directory(folder.file("hks"));
    CHECK_FALSE(directory.open().has_value());
    CHECK(read_file(folder.file("victim")) == "keep");
}

TEST_CASE("an admin token that cannot be read is an error, not an absent one") {
    TemporaryFolder folder;
    DataDirectory directory(folder.file("hks"));
    take(directory.open());
    std::filesystem::create_directories(folder.file("hks/admin-token"));
    CHECK(message(directory.read_admin_token()).find("admin-token") != std::string::npos);
}
