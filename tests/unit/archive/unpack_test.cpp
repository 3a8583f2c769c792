// SPDX-License-Identifier: Apache-2.0
#include "support/print_error.hpp"
#include "unit/archive/archive_maker.hpp"

#include <hks/archive/folder.hpp>

#include <catch2/catch.hpp>
#include <clocale>
#include <random>
#include <sys/stat.h>

using namespace hks;
using archive::unpack;
using archive::UnpackLimits;
using namespace archive::test;

namespace {

/// Unpacks, expects the refusal, and that nothing is left behind.
std::string refused(const std::string& bytes, Errc code = Errc::validation_error,
                    const UnpackLimits& limits = {}) {
    Folder folder;
    auto done = unpack(bytes, folder.path, limits);
    REQUIRE_FALSE(done);
    CHECK(done.error().code == code);
    CHECK(folder.empty());
    return done.error().message;
}

Item special(unsigned type) {
    Item item;
    item.type = type;
    return item;
}

unsigned mode_of(const fs::path& path) {
    struct stat info {};
    REQUIRE(lstat(path.c_str(), &info) == 0);
    return info.st_mode & 07777;
}

}  // namespace

TEST_CASE("tar, tar.gz, pax and zip come out as they went in") {
    for (const Format format : {Format::tar, Format::tar_gz, Format::pax, Format::zip}) {
        Folder folder;
        const std::string bytes = ArchiveMaker(format)
                                      .folder("a")
                                      .file("a/f.py", "x = 1\n")
                                      .file("deep/er/run.sh", "#!/bin/sh\n", 0755)
                                      .link("a/l", "../deep/er")
                                      .bytes();
        REQUIRE(archive::is_archive(bytes));
        REQUIRE(unpack(bytes, folder.path));
        CHECK(folder.read("a/f.py") == "x = 1\n");
        CHECK(mode_of(folder.path / "a/f.py") == 0644);
        CHECK(mode_of(folder.path / "deep/er/run.sh") == 0755);
        CHECK(fs::read_symlink(folder.path / "a/l") == "../deep/er");
    }
}

TEST_CASE("names outside ASCII survive every format in the C locale") {
    REQUIRE(std::string(std::setlocale(LC_ALL, nullptr)) == "C");
    const std::string name = "d\xC3\xBCr/\xE2\x82\xAC.py";
    for (const Format format : {Format::tar, Format::tar_gz, Format::pax, Format::zip}) {
        Folder folder;
        REQUIRE(unpack(ArchiveMaker(format).file(name, "1").bytes(), folder.path));
        CHECK(folder.read(name) == "1");
    }
}

TEST_CASE("a name that leads out is refused") {
    for (const Format format : {Format::tar, Format::zip})
        for (const char* name : {"../x", "a/../../x", "a/../x", "..", "/etc/x", "//x", "/"}) {
            INFO(name);
            refused(ArchiveMaker(format).file("ok", "1").file(name, "2").bytes());
        }
}

TEST_CASE("a sibling whose name starts with the folder's is out of reach") {
    Folder outer;
    const fs::path target = outer.path / "code";
    fs::create_directories(target);
    const std::string bytes = ArchiveMaker(Format::tar).file("../code-2/x", "1").bytes();
    CHECK_FALSE(unpack(bytes, target));
    CHECK_FALSE(fs::exists(outer.path / "code-2"));
}

TEST_CASE("a link that leaves is refused") {
    for (const char* target : {"/etc/passwd", "..", "../x", "a/../../x", "./../x", "a/../b"}) {
        INFO(target);
        refused(ArchiveMaker(Format::tar).file("ok", "1").link("l", target).bytes());
    }
    refused(ArchiveMaker(Format::tar).link("d/l", "../../x").bytes());
}

TEST_CASE("a link within the folder stays") {
    Folder folder;
    REQUIRE(
        unpack(ArchiveMaker(Format::tar).link("a/b/l", "../../x").link("self", ".").bytes(), folder.path));
    CHECK(fs::is_symlink(folder.path / "a/b/l"));
}

TEST_CASE("nothing is written through a link that came before") {
    refused(ArchiveMaker(Format::tar).folder("d").link("l", "d").file("l/x", "1").bytes());
    refused(ArchiveMaker(Format::tar).folder("d").link("l", "d").folder("l").file("l/x", "1").bytes());
    refused(ArchiveMaker(Format::tar).folder("d").link("l", "d").folder("l/sub").bytes());
}

TEST_CASE("a file with the name of an earlier link replaces the link, not what it points at") {
    Folder folder;
    REQUIRE(unpack(ArchiveMaker(Format::tar).file("x", "old").link("l", "x").file("l", "new").bytes(),
                   folder.path));
    CHECK(folder.read("x") == "old");
    CHECK(folder.read("l") == "new");
    CHECK_FALSE(fs::is_symlink(folder.path / "l"));
}

TEST_CASE("a hard link is refused when it leads out or nowhere") {
    for (const char* target : {"/etc/passwd", "../x", "nowhere", "l"}) {
        INFO(target);
        refused(ArchiveMaker(Format::tar).file("x", "1").link("l", "x").hard_link("h", target).bytes());
    }
    refused(
        ArchiveMaker(Format::tar).folder("d").file("d/x", "1").link("l", "d").hard_link("h", "l/x").bytes());
}

TEST_CASE("a hard link to an earlier file has its content") {
    Folder folder;
    REQUIRE(unpack(ArchiveMaker(Format::tar).file("d/x", "1").hard_link("h", "d/x").bytes(), folder.path));
    CHECK(folder.read("h") == "1");
}

TEST_CASE("devices and fifos are refused") {
    refused(ArchiveMaker(Format::tar).add("null", special(AE_IFCHR)).bytes());
    refused(ArchiveMaker(Format::tar).add("disk", special(AE_IFBLK)).bytes());
    refused(ArchiveMaker(Format::tar).add("pipe", special(AE_IFIFO)).bytes());
}

TEST_CASE("set-id and sticky bits are dropped") {
    Folder folder;
    REQUIRE(
        unpack(ArchiveMaker(Format::tar).file("x", "1", 07755).file("y", "1", 0000).bytes(), folder.path));
    CHECK(mode_of(folder.path / "x") == 0755);
    CHECK(mode_of(folder.path / "y") == 0644);
}

TEST_CASE("a name that is not UTF-8 is refused and shown escaped") {
    const std::string message = refused(ArchiveMaker(Format::tar).file("a\xFF", "1").bytes());
    CHECK(message.find("a\\xff") != std::string::npos);
}

TEST_CASE("the last of two files with one name wins") {
    Folder folder;
    REQUIRE(unpack(ArchiveMaker(Format::tar).file("x", "long first").file("x", "2").bytes(), folder.path));
    CHECK(folder.read("x") == "2");
}

TEST_CASE("a name that is a folder and a file is refused") {
    refused(ArchiveMaker(Format::tar).file("x", "1").file("x/y", "2").bytes());
    refused(ArchiveMaker(Format::tar).file("x/y", "1").file("x", "2").bytes());
}

TEST_CASE("a bomb is refused by ratio") {
    UnpackLimits limits;
    limits.max_ratio = 100;
    refused(ArchiveMaker(Format::tar_gz).file("zeros", std::string(8u << 20, '\0')).bytes(),
            Errc::package_size_exceeded, limits);
    refused(ArchiveMaker(Format::zip).file("zeros", std::string(8u << 20, '\0')).bytes(),
            Errc::package_size_exceeded, limits);
}

TEST_CASE("a bomb is refused by size, in one file or in many") {
    UnpackLimits limits;
    limits.max_total_bytes = 1000;
    ArchiveMaker many(Format::tar);
    for (int i = 0; i < 11; ++i) many.file("f" + std::to_string(i), std::string(100, 'x'));
    refused(many.bytes(), Errc::package_size_exceeded, limits);
    UnpackLimits one;
    one.max_file_bytes = 1000;
    refused(ArchiveMaker(Format::tar).file("f", std::string(1001, 'x')).bytes(), Errc::package_size_exceeded,
            one);
}

TEST_CASE("a bomb is refused by count, implied folders included") {
    UnpackLimits limits;
    limits.max_entries = 10;
    ArchiveMaker files(Format::tar);
    for (int i = 0; i < 11; ++i) files.file("f" + std::to_string(i), "");
    refused(files.bytes(), Errc::package_size_exceeded, limits);
    refused(ArchiveMaker(Format::tar).file("1/2/3/4/5/6/7/8/9/10/f", "").bytes(), Errc::package_size_exceeded,
            limits);
}

TEST_CASE("a bomb is refused by depth") {
    std::string name;
    for (int i = 0; i < 70; ++i) name += "d/";
    refused(ArchiveMaker(Format::tar).file(name + "f", "").bytes(), Errc::package_size_exceeded);
}

TEST_CASE("a size that a header only claims is refused before anything is written") {
    std::string bytes = ArchiveMaker(Format::tar).file("f", "1").bytes();
    bytes.replace(124, 12, "77777777777\0", 12);
    unsigned sum = 0;
    bytes.replace(148, 8, "        ");
    for (int i = 0; i < 512; ++i) sum += static_cast<unsigned char>(bytes[static_cast<size_t>(i)]);
    char text[9];
    snprintf(text, sizeof text, "%06o", sum);
    bytes.replace(148, 7, std::string(text) + '\0');
    refused(bytes, Errc::package_size_exceeded);
}

TEST_CASE("an archive without entries is refused") {
    refused(ArchiveMaker(Format::tar).bytes());
    refused(ArchiveMaker(Format::tar_gz).bytes());
    refused(ArchiveMaker(Format::zip).bytes());
    refused("");
}

TEST_CASE("bytes that are no archive are refused") {
    refused("hello");
    refused(std::string(2000, 'x'));
    refused("\x1f\x8b" + std::string(100, 'x'));
    refused("PK\x03\x04" + std::string(100, 'x'));
    CHECK_FALSE(archive::is_archive("def handle(event): pass\n"));
    CHECK_FALSE(archive::is_archive(std::string(1024, '\0')));
}

TEST_CASE("a truncated archive is refused wherever it was cut") {
    constexpr size_t padding = 64;  // of a tar, packed: all content is there before it
    std::mt19937 random(1);
    std::string noise, other;
    for (int i = 0; i < 5000; ++i) noise += static_cast<char>(random()), other += static_cast<char>(random());
    for (const Format format : {Format::tar_gz, Format::zip}) {
        const std::string bytes = ArchiveMaker(format).file("a", noise).file("b", other).bytes();
        for (size_t cut = 1; cut < bytes.size() - padding; cut += 97) {
            INFO(cut << " of " << bytes.size());
            refused(bytes.substr(0, cut));
        }
    }
    const std::string tar = ArchiveMaker(Format::tar).file("a", std::string(5000, 'x')).bytes();
    refused(tar.substr(0, 3000));
    refused(tar.substr(0, 512 + 5120));
}

TEST_CASE("a zip with damaged content is refused") {
    std::string bytes = ArchiveMaker(Format::zip).file("a", std::string(300, 'x') + "needle").bytes();
    bytes[60] = static_cast<char>(bytes[60] ^ 0x55);
    refused(bytes);
}

TEST_CASE("unpacking into a folder that is not empty touches nothing") {
    Folder folder;
    folder.write("mine", "1");
    CHECK_FALSE(unpack(ArchiveMaker(Format::tar).file("mine", "2").bytes(), folder.path));
    CHECK_FALSE(unpack("nonsense", folder.path));
    CHECK(folder.read("mine") == "1");
}
