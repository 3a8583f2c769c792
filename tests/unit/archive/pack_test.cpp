// SPDX-License-Identifier: Apache-2.0
#include "support/print_error.hpp"
#include "unit/archive/archive_maker.hpp"

#include <hks/archive/folder.hpp>

#include <catch2/catch.hpp>
#include <set>
#include <sys/stat.h>

using namespace hks;
using namespace archive::test;

namespace {

constexpr uint64_t plenty = 100u << 20;

/// What arrives on the other side.
std::set<std::string> travelled(const Folder& from) {
    auto packed = archive::pack(from.path, plenty);
    REQUIRE(packed.has_value());
    Folder to;
    REQUIRE(archive::unpack(packed->bytes, to.path));
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(to.path))
        if (!entry.is_directory() || fs::is_empty(entry.path()))
            names.insert(entry.path().lexically_relative(to.path).string());
    return names;
}

using Names = std::set<std::string>;

}  // namespace

TEST_CASE("a folder arrives whole") {
    Folder folder;
    folder.write("function.py", "def handle(event): return 1\n");
    folder.write("pkg/a.py", "");
    folder.write("h\xC3\xA9/x", "");
    fs::create_directories(folder.path / "empty");
    fs::create_symlink("pkg/a.py", folder.path / "link");
    CHECK(travelled(folder) == Names{"function.py", "pkg/a.py", "h\xC3\xA9/x", "empty", "link"});
}

TEST_CASE("packing counts files") {
    Folder folder;
    folder.write("a/b", "1");
    folder.write("c", "2");
    CHECK(archive::pack(folder.path, plenty)->files == 2);
}

TEST_CASE("packing twice gives the same bytes, whatever the times and the order of creation") {
    Folder one, two;
    one.write("a", "1");
    one.write("b", "2");
    two.write("b", "2");
    two.write("a", "1");
    fs::last_write_time(two.path / "a", fs::file_time_type::clock::now() - std::chrono::hours(99));
    chmod((two.path / "a").c_str(), 0600);
    CHECK(archive::pack(one.path, plenty)->bytes == archive::pack(two.path, plenty)->bytes);
}

TEST_CASE("the executable bit travels") {
    Folder from, to;
    from.write("run.sh", "");
    fs::permissions(from.path / "run.sh", fs::perms::owner_exec, fs::perm_options::add);
    REQUIRE(archive::unpack(archive::pack(from.path, plenty)->bytes, to.path));
    CHECK((fs::status(to.path / "run.sh").permissions() & fs::perms::others_exec) != fs::perms::none);
}

TEST_CASE(".git and .env never travel, whatever the rules say") {
    Folder folder;
    for (const char* name :
         {".git/config", ".env", ".env.local", "sub/.git", "sub/.env.production", "x", ".envrc"})
        folder.write(name, "");
    folder.write(".hksignore", "!.env\n!.git\n");
    CHECK(travelled(folder) == Names{"x", ".envrc", ".hksignore"});
}

TEST_CASE("without an ignore file the usual clutter stays behind") {
    Folder folder;
    for (const char* name :
         {"x.py", "__pycache__/x.pyc", "a/__pycache__/y", "node_modules/m/i.js", ".venv/bin/python"})
        folder.write(name, "");
    CHECK(travelled(folder) == Names{"x.py"});
}

TEST_CASE("an ignore file of one's own replaces the usual clutter list") {
    Folder folder;
    folder.write("node_modules/m/i.js", "");
    folder.write(".gitignore", "*.log\n");
    folder.write("x.log", "");
    CHECK(travelled(folder) == Names{".gitignore", "node_modules/m/i.js"});
}

TEST_CASE("nested .gitignore files count") {
    Folder folder;
    folder.write(".gitignore", "*.tmp\n");
    folder.write("a/.gitignore", "!keep.tmp\nx\n");
    folder.write("a/keep.tmp", "");
    folder.write("a/x", "");
    folder.write("x", "");
    folder.write("b.tmp", "");
    CHECK(travelled(folder) == Names{".gitignore", "a/.gitignore", "a/keep.tmp", "x"});
}

TEST_CASE(".hksignore replaces .gitignore, in nested folders too") {
    Folder folder;
    folder.write(".gitignore", "dist/\n");
    folder.write("a/.gitignore", "b\n");
    folder.write(".hksignore", "*.md\n");
    folder.write("a/.hksignore", "c\n");
    for (const char* name : {"dist/x.js", "README.md", "a/b", "a/c"}) folder.write(name, "");
    CHECK(travelled(folder) ==
          Names{".gitignore", ".hksignore", "a/.gitignore", "a/.hksignore", "dist/x.js", "a/b"});
}

TEST_CASE("what cannot travel is named") {
    Folder folder;
    folder.write("x", "");
    fs::create_symlink("/etc/passwd", folder.path / "out");
    fs::create_symlink("../..", folder.path / "up");
    mkfifo((folder.path / "pipe").c_str(), 0600);
    folder.write("bad\xFF", "");
    auto packed = archive::pack(folder.path, plenty);
    REQUIRE(packed.has_value());
    REQUIRE(packed->skipped.size() == 4);
    CHECK(packed->skipped[0] == "bad\\xff (is not UTF-8)");
    CHECK(packed->skipped[1] == "out (a link that leads out of the folder)");
    CHECK(packed->skipped[2] == "pipe (is neither a file nor a folder)");
    CHECK(travelled(folder) == Names{"x"});
}

TEST_CASE("a folder over the limit is refused and its largest file named") {
    Folder folder;
    std::string noise;
    for (unsigned i = 0; i < 300'000; ++i) noise += static_cast<char>((i * 2654435761u) >> (i % 17));
    folder.write("data/big.bin", noise);
    auto packed = archive::pack(folder.path, 10'000);
    REQUIRE_FALSE(packed.has_value());
    CHECK(packed.error().code == Errc::package_size_exceeded);
    CHECK(packed.error().message.find("data/big.bin") != std::string::npos);
}

TEST_CASE("a folder that is not there is named") {
    auto packed = archive::pack("/nowhere/at/all", plenty);
    REQUIRE_FALSE(packed.has_value());
    CHECK(packed.error().message.find("/nowhere/at/all") != std::string::npos);
}

TEST_CASE("names longer than a tar header's field travel") {
    Folder folder;
    const std::string name = std::string(120, 'a') + "/" + std::string(200, 'b');
    folder.write(name, "1");
    CHECK(travelled(folder) == Names{name});
}
