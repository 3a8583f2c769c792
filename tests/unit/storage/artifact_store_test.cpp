// SPDX-License-Identifier: Apache-2.0
#include "support/temporary_folder.hpp"

#include <hks/storage/artifact_store.hpp>
#include <hks/storage/crc32c.hpp>

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

using namespace hks;
using namespace hks::storage;
using hks::test::TemporaryFolder;
using hks::test::write_file;
namespace fs = std::filesystem;

namespace {

void make_bundle(const fs::path& root) {
    fs::create_directories(root);
    write_file(root / "main.py", "print(1)\n");
    write_file(root / "lib/a.py", "a = 1\n");
    write_file(root / "run", "#!/bin/sh\n");
    fs::permissions(root / "main.py", fs::perms(0644));
    fs::permissions(root / "lib/a.py", fs::perms(0644));
    fs::permissions(root / "run", fs::perms(0755));
    fs::create_symlink("main.py", root / "link");
}

std::string digest_of(const fs::path& root) {
    auto digest = digest_tree(root);
    INFO((digest ? "" : digest.error().message));
    REQUIRE(digest.has_value());
    return *digest;
}

mode_t mode_of(const fs::path& path) {
    struct stat status;
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

struct Store {
    TemporaryFolder folder;
    ArtifactStore store{folder.path() / "bundles"};
    Store() { REQUIRE(store.open().has_value()); }

    std::string commit_bundle(const std::string& text) {
        auto temporary = store.make_temporary();
        REQUIRE(temporary.has_value());
        write_file(*temporary / "main.py", text);
        std::string digest = digest_of(*temporary);
        REQUIRE(store.commit(*temporary, digest).has_value());
        return digest;
    }
    size_t entries() const {
        return static_cast<size_t>(std::distance(fs::directory_iterator(folder.path() / "bundles"), {}));
    }
};

}  // namespace

TEST_CASE("SHA-256 and CRC32C give the published values") {
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(crc32c("123456789") == 0xE3069283u);
}

TEST_CASE("a row's sum knows where a column ends") {
    CHECK(RowSum().add("ab").add("c").value() != RowSum().add("a").add("bc").value());
    CHECK(RowSum().add(1).add(2).value() != RowSum().add(2).add(1).value());
}

TEST_CASE("two copies of a tree have one digest") {
    TemporaryFolder folder;
    make_bundle(folder.path() / "a");
    make_bundle(folder.path() / "b");
    fs::last_write_time(folder.path() / "b/main.py",
                        fs::file_time_type::clock::now() - std::chrono::hours(9));
    CHECK(digest_of(folder.path() / "a") == digest_of(folder.path() / "b"));
}

TEST_CASE("a digest changes with everything that counts") {
    TemporaryFolder folder;
    fs::path root = folder.path() / "a";
    make_bundle(root);
    std::string before = digest_of(root);
    SECTION("content") {
        write_file(root / "main.py", "print(2)\n");
    }
    SECTION("a name") {
        fs::rename(root / "main.py", root / "main2.py");
    }
    SECTION("the executable bit") {
        fs::permissions(root / "main.py", fs::perms(0755));
    }
    SECTION("a link's target") {
        fs::remove(root / "link");
        fs::create_symlink("run", root / "link");
    }
    SECTION("a link that becomes a file") {
        fs::remove(root / "link");
        write_file(root / "link", "main.py");
    }
    SECTION("an empty folder") {
        fs::create_directory(root / "empty");
    }
    SECTION("a file that moves into a folder") {
        fs::rename(root / "run", root / "lib/run");
    }
    CHECK(digest_of(root) != before);
}

TEST_CASE("a digest does not change with what Python caches") {
    TemporaryFolder folder;
    fs::path root = folder.path() / "a";
    make_bundle(root);
    std::string before = digest_of(root);
    write_file(root / "lib/__pycache__/a.cpython-311.pyc", "x");
    CHECK(digest_of(root) == before);
    write_file(root / "lib/my__pycache__/a", "x");
    CHECK(digest_of(root) != before);
}

TEST_CASE("a link in a tree is not followed, wherever it leads") {
    TemporaryFolder folder;
    fs::path root = folder.path() / "a";
    make_bundle(root);
    write_file(folder.path() / "outside/x", "1");
    fs::create_symlink(folder.path() / "outside", root / "out");
    fs::create_symlink(root, root / "loop");
    std::string before = digest_of(root);
    write_file(folder.path() / "outside/x", "2");
    CHECK(digest_of(root) == before);
}

TEST_CASE("a link is no tree") {
    TemporaryFolder folder;
    make_bundle(folder.path() / "a");
    fs::create_symlink(folder.path() / "a", folder.path() / "b");
    CHECK(!digest_tree(folder.path() / "b").has_value());
}

TEST_CASE("a pipe in a tree is refused by name, without waiting for it") {
    TemporaryFolder folder;
    fs::path root = folder.path() / "a";
    make_bundle(root);
    REQUIRE(::mkfifo((root / "lib/pipe").c_str(), 0600) == 0);
    auto digest = digest_tree(root);
    REQUIRE(!digest);
    CHECK(digest.error().code == Errc::validation_error);
    CHECK(digest.error().message.find("lib/pipe") != std::string::npos);
}

TEST_CASE("a tree without end is refused") {
    TemporaryFolder folder;
    fs::path deep = folder.path() / "a";
    for (int i = 0; i < 210; ++i) deep /= "d";
    fs::create_directories(deep);
    auto digest = digest_tree(folder.path() / "a");
    REQUIRE(!digest);
    CHECK(digest.error().message.find("deeper") != std::string::npos);
}

TEST_CASE("a committed bundle is there under its digest and nowhere else") {
    Store s;
    std::string digest = s.commit_bundle("1");
    CHECK(s.store.contains(digest));
    CHECK(test::read_file(s.store.path(digest) / "main.py") == "1");
    CHECK(s.entries() == 1);
}

TEST_CASE("a committed bundle can be read by everyone and written by nobody else") {
    Store s;
    auto temporary = s.store.make_temporary();
    make_bundle(*temporary);
    fs::permissions(*temporary / "lib", fs::perms(0700));
    fs::permissions(*temporary / "lib/a.py", fs::perms(0666));
    fs::permissions(*temporary / "main.py", fs::perms(0600));
    fs::permissions(*temporary / "run", fs::perms(04711));
    std::string digest = digest_of(*temporary);
    REQUIRE(s.store.commit(*temporary, digest).has_value());
    auto root = s.store.path(digest);
    CHECK(mode_of(root) == 0755);
    CHECK(mode_of(root / "lib") == 0755);
    CHECK(mode_of(root / "lib/a.py") == 0644);
    CHECK(mode_of(root / "main.py") == 0644);
    CHECK(mode_of(root / "run") == 0755);
    CHECK(digest_of(root) == digest);
}

TEST_CASE("a bundle of many files is committed like one of few") {
    Store s;
    auto temporary = s.store.make_temporary();
    for (int i = 0; i < 100; ++i) write_file(*temporary / "lib" / std::to_string(i), "x");
    std::string digest = digest_of(*temporary);
    REQUIRE(s.store.commit(*temporary, digest).has_value());
    CHECK(digest_of(s.store.path(digest)) == digest);
}

TEST_CASE("the same content twice is one bundle") {
    Store s;
    CHECK(s.commit_bundle("1") == s.commit_bundle("1"));
    CHECK(s.entries() == 1);
}

TEST_CASE("a name that is no digest is not committed and not contained") {
    Store s;
    auto temporary = s.store.make_temporary();
    CHECK(!s.store.commit(*temporary, "../../x").has_value());
    CHECK(!s.store.contains(".."));
    CHECK(!s.store.contains(""));
}

TEST_CASE("opening removes what a crash left, read-only folders too, and nothing else") {
    Store s;
    std::string digest = s.commit_bundle("1");
    auto temporary = s.store.make_temporary();
    write_file(*temporary / "locked/file", "x");
    fs::permissions(*temporary / "locked", fs::perms(0500));
    write_file(s.folder.path() / "bundles/README", "mine");
    REQUIRE(s.store.open().has_value());
    CHECK(!fs::exists(*temporary));
    CHECK(s.store.contains(digest));
    CHECK(fs::exists(s.folder.path() / "bundles/README"));
}

TEST_CASE("a sweep keeps what is named and removes the other bundles only") {
    Store s;
    std::string one = s.commit_bundle("1"), two = s.commit_bundle("2"), three = s.commit_bundle("3");
    write_file(s.folder.path() / "bundles/README", "mine");
    auto removed = s.store.sweep({two});
    REQUIRE(removed.has_value());
    CHECK(*removed == 2);
    CHECK(!s.store.contains(one));
    CHECK(s.store.contains(two));
    CHECK(!s.store.contains(three));
    CHECK(s.entries() == 2);
}
