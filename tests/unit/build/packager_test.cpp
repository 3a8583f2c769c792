// SPDX-License-Identifier: Apache-2.0
#include "build/packager.hpp"

#include "support/results.hpp"
#include "support/temporary_folder.hpp"

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::build;

namespace {

FunctionSpec spec(const std::string& runtime, const std::string& handler = "") {
    FunctionSpec out;
    out.runtime.name = runtime;
    out.handler = handler;
    return out;
}

BuildSource one_file(const std::string& content, const std::string& name = "") {
    BuildSource source;
    source.file_content = content;
    source.filename = name;
    return source;
}

constexpr uint64_t plenty = 1u << 20;

}  // namespace

TEST_CASE("one file is named after its handler") {
    CHECK(file_name_for(spec("python", "function.handle"), "") == "function.py");
    CHECK(file_name_for(spec("python", "pkg.mod.run"), "") == "pkg/mod.py");
    CHECK(file_name_for(spec("python"), "") == "function.py");
    CHECK(file_name_for(spec("node", "index.handle"), "exports.handle = 1") == "index.js");
    CHECK(file_name_for(spec("node", "src/app.run"), "export const run = 1") == "src/app.mjs");
    CHECK(file_name_for(spec("node"), "exports.handle = 1") == "index.js");
}

TEST_CASE("a source is an archive or a file, not both and not neither") {
    BuildSource both = one_file("x", "function.py");
    both.archive = "PK\x03\x04";
    CHECK(test::failure(check_source(both, spec("python"))) == "VALIDATION_ERROR");
    CHECK(test::failure(check_source(BuildSource(), spec("python"))) == "VALIDATION_ERROR");
    BuildSource nonsense;
    nonsense.archive = "hello";
    CHECK(test::failure(check_source(nonsense, spec("python"))) == "VALIDATION_ERROR");
}

TEST_CASE("what is neither text nor an archive that can be read is refused with what to send") {
    const std::string xz("\xFD" "7zXZ\0\0", 7), bzip2("BZh91AY&SY\xff\x00", 12);
    for (const auto& bytes : {xz, bzip2, std::string("\0\1\2", 3), std::string("\xC3(")}) {
        const auto refused = check_source(one_file(bytes, "f.tar.xz"), spec("python"));
        CHECK(test::failure(refused) == "VALIDATION_ERROR");
        CHECK_THAT(test::message(refused), Catch::Contains("Send a tar, tar.gz or zip"));
        CHECK_FALSE(check_source(one_file(bytes), spec("python")).has_value());
    }
    CHECK(check_source(one_file("def handle(e): return 'gr\xC3\xBC\xC3\x9F'"), spec("python")).has_value());
    // Sources of old have other encodings than UTF-8.
    CHECK(check_source(one_file("# coding: latin-1\n'\xFC'", "f.py"), spec("")).has_value());
}

TEST_CASE("a filename stays in the folder") {
    for (const char* name :
         {"../x.py", "/etc/x.py", "a/../x.py", "./x.py", "a//../x", "x\xFF.py", "dir/", ".."}) {
        INFO(name);
        CHECK(test::failure(check_source(one_file("1", name), spec("python"))) == "VALIDATION_ERROR");
    }
    CHECK(check_source(one_file("1", "pkg/x.py"), spec("")).has_value());
}

TEST_CASE("a handler that would name a file elsewhere is refused") {
    CHECK(test::failure(check_source(one_file("1"), spec("node", "../../x.handle"))) == "VALIDATION_ERROR");
    CHECK(test::failure(check_source(one_file("1"), spec("node", "/x.handle"))) == "VALIDATION_ERROR");
}

TEST_CASE("one file without a name needs a runtime") {
    CHECK(test::failure(check_source(one_file("1"), spec(""))) == "VALIDATION_ERROR");
    CHECK(language_of(one_file("1", "x.py")) == "python");
    CHECK(language_of(one_file("1", "x.mjs")) == "node");
    CHECK(language_of(one_file("1", "x.txt")).empty());
}

TEST_CASE("one file is written below its folders") {
    const test::TemporaryFolder folder;
    const TreeSize size =
        test::take(place_source(one_file("x = 1\n", "pkg/f.py"), spec("python"), folder.path(), plenty));
    CHECK(size.files == 1);
    CHECK(size.bytes == 6);
    CHECK(test::read_file(folder.path() / "pkg/f.py") == "x = 1\n");
}

TEST_CASE("a file over the limit is refused") {
    const test::TemporaryFolder folder;
    CHECK(test::failure(place_source(one_file("12345", "f.py"), spec("python"), folder.path(), 4)) ==
          "PACKAGE_SIZE_EXCEEDED");
}
