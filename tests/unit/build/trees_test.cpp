// SPDX-License-Identifier: Apache-2.0
#include "build/bundle_pins.hpp"
#include "build/dependency_cache.hpp"
#include "build/tree.hpp"
#include "support/results.hpp"
#include "support/temporary_folder.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>

namespace fs = std::filesystem;
using namespace hks;
using namespace hks::build;
using test::TemporaryFolder;

TEST_CASE("a cloned tree has files, folders, links and modes of its model") {
    const TemporaryFolder folder;
    test::write_file(folder.path() / "a/b/x.py", "1");
    fs::create_directories(folder.path() / "a/empty");
    fs::create_symlink("b/x.py", folder.path() / "a/l");
    chmod(folder.file("a/b/x.py").c_str(), 0755);
    test::take(clone_tree(folder.path() / "a", folder.path() / "c"));
    CHECK(test::read_file(folder.path() / "c/b/x.py") == "1");
    CHECK(fs::is_directory(folder.path() / "c/empty"));
    CHECK(fs::read_symlink(folder.path() / "c/l") == "b/x.py");
    CHECK(fs::equivalent(folder.path() / "a/b/x.py", folder.path() / "c/b/x.py"));
}

TEST_CASE("a tree is not cloned over another") {
    const TemporaryFolder folder;
    test::write_file(folder.path() / "a/x", "1");
    test::write_file(folder.path() / "b/x", "2");
    CHECK_FALSE(clone_tree(folder.path() / "a", folder.path() / "b").has_value());
    CHECK(test::read_file(folder.path() / "b/x") == "2");
}

TEST_CASE("bytecode that came along is removed at every depth") {
    const TemporaryFolder folder;
    test::write_file(folder.path() / "__pycache__/x.pyc", "1");
    test::write_file(folder.path() / "a/b/__pycache__/y.pyc", "1");
    test::write_file(folder.path() / "a/b/z.py", "1");
    test::take(remove_bytecode(folder.path()));
    CHECK_FALSE(fs::exists(folder.path() / "__pycache__"));
    CHECK_FALSE(fs::exists(folder.path() / "a/b/__pycache__"));
    CHECK(fs::exists(folder.path() / "a/b/z.py"));
}

TEST_CASE("links of dependencies stay in the bundle") {
    const TemporaryFolder folder;
    test::write_file(folder.path() / "lib/x.js", "1");
    fs::create_directories(folder.path() / "node_modules/.bin");
    fs::create_symlink("../lib", folder.path() / "node_modules/lib");
    CHECK(check_links(folder.path()).has_value());
    fs::create_symlink("../../../x", folder.path() / "node_modules/.bin/x");
    CHECK(test::failure(check_links(folder.path())) == "BUILD_FAILED");
    fs::remove(folder.path() / "node_modules/.bin/x");
    fs::create_symlink("/etc", folder.path() / "node_modules/etc");
    CHECK(test::failure(check_links(folder.path())) == "BUILD_FAILED");
}

TEST_CASE("a dependency tree comes back under its key only") {
    const TemporaryFolder folder;
    DependencyCache cache(folder.path() / "cache");
    test::write_file(folder.path() / "deps/x.py", "1");
    CHECK_FALSE(cache.restore("k", folder.path() / "one"));
    cache.keep("k", folder.path() / "deps");
    CHECK(cache.restore("k", folder.path() / "one"));
    CHECK(test::read_file(folder.path() / "one/x.py") == "1");
    CHECK_FALSE(cache.restore("other", folder.path() / "two"));
    CHECK_FALSE(fs::exists(folder.path() / "two"));
}

TEST_CASE("the least recently used dependency tree makes room") {
    const TemporaryFolder folder;
    DependencyCache cache(folder.path() / "cache", 2);
    test::write_file(folder.path() / "deps/x", "1");
    cache.keep("a", folder.path() / "deps");
    cache.keep("b", folder.path() / "deps");
    fs::last_write_time(folder.path() / "cache/b", fs::file_time_type::clock::now() - std::chrono::hours(1));
    REQUIRE(cache.restore("a", folder.path() / "used"));
    cache.keep("c", folder.path() / "deps");
    CHECK(cache.restore("a", folder.path() / "1"));
    CHECK_FALSE(cache.restore("b", folder.path() / "2"));
    CHECK(cache.restore("c", folder.path() / "3"));
}

TEST_CASE("a dependency tree that nobody used for long goes, and so does an unfinished one") {
    const TemporaryFolder folder;
    DependencyCache cache(folder.path() / "cache", 10, std::chrono::hours(1));
    test::write_file(folder.path() / "deps/x", "1");
    test::write_file(folder.path() / "cache/half.new/x", "1");
    cache.keep("old", folder.path() / "deps");
    fs::last_write_time(folder.path() / "cache/old",
                        fs::file_time_type::clock::now() - std::chrono::hours(2));
    cache.keep("new", folder.path() / "deps");
    CHECK_FALSE(cache.restore("old", folder.path() / "1"));
    CHECK_FALSE(fs::exists(folder.path() / "cache/half.new"));
}

TEST_CASE("sizes are shown as people read them") {
    CHECK(size_text(0) == "0 B");
    CHECK(size_text(1234) == "1.2 KiB");
    CHECK(size_text(5u << 20) == "5.0 MiB");
}

TEST_CASE("a bundle stays pinned until the last build lets go") {
    BundlePins pins;
    pins.pin("d");
    pins.pin("d");
    pins.unpin("d");
    CHECK(pins.exclusively([](const auto& pinned) { return pinned.count("d"); }) == 1);
    pins.unpin("d");
    pins.unpin("d");
    CHECK(pins.exclusively([](const auto& pinned) { return pinned.count("d"); }) == 0);
    CHECK_FALSE(pins.pin_if("gone", [] { return false; }));
    CHECK(pins.exclusively([](const auto& pinned) { return pinned.empty(); }));
}
