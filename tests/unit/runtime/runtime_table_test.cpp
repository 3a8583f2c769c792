// SPDX-License-Identifier: Apache-2.0
#include <hks/runtime/runtime_table.hpp>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

namespace hks::runtime {

namespace {
RuntimeTable host() {
    return RuntimeTable({{"python", "3.11.2", "/usr/bin/python3.11"},
                         {"python", "3.9.18", "/usr/bin/python3.9"},
                         {"python", "3.13.0", "/usr/bin/python3.13"},
                         {"node", "18.1.0", "/usr/bin/node18"},
                         {"node", "22.0.0", "/usr/bin/node22"}});
}

struct Folder {
    std::filesystem::path path;
    explicit Folder(const std::vector<std::string>& files) {
        char name[] = "/tmp/hks-detect-XXXXXX";
        path = ::mkdtemp(name);
        for (const auto& file : files) {
            std::filesystem::create_directories((path / file).parent_path());
            std::ofstream(path / file) << "x";
        }
    }
    ~Folder() { std::filesystem::remove_all(path); }
};
}  // namespace

TEST_CASE("the nearest interpreter is chosen, and said when it is not the one asked for") {
    const auto [name, version, expected, noted] =
        GENERATE(table<std::string, std::string, std::string, bool>({
            {"python", "3.11", "python3.11", false},
            {"python", "", "python3.11", false},
            {"python", "3.10", "python3.11", true},
            {"python", "3.12", "python3.13", true},
            {"python", "3.14", "python3.13", true},
            {"python", "3.8", "python3.9", true},
            {"node", "18", "node18", false},
            {"node", "20", "node22", true},
            {"node", "24", "node22", true},
            {"node", "16", "node18", true},
        }));
    INFO(name << version);
    const RuntimeTable table = host();
    const auto choice = table.choose({name, version});
    REQUIRE(choice.has_value());
    CHECK(choice->interpreter->label() == expected);
    CHECK(choice->note.empty() != noted);
}

TEST_CASE("another major of Python, or a language that is not there, is refused with what there is") {
    const auto [name, version] =
        GENERATE(table<std::string, std::string>({{"python", "2.7"}, {"python", "4.0"}, {"go", "1.21"}}));
    const RuntimeTable table = host();
    const auto choice = table.choose({name, version});
    REQUIRE(choice.has_error());
    CHECK(choice.error().code == Errc::invalid_runtime);
    CHECK(choice.error().message.find("node22") != std::string::npos);
}

TEST_CASE("the language of a folder is told by its usual files, then its manifest, then any file") {
    const auto [files, expected] = GENERATE(table<std::vector<std::string>, std::string>({
        {{"function.py"}, "python"},
        {{"index.mjs"}, "node"},
        {{"main.py", "package.json"}, "python"},
        {{"index.js", "tool.py"}, "node"},
        {{"requirements.txt", "a.js"}, "python"},
        {{"something.cjs"}, "node"},
    }));
    const Folder folder(files);
    const auto found = host().detect(folder.path);
    REQUIRE(found.has_value());
    CHECK(*found == expected);
}

TEST_CASE("the language is told by the handler's file first, and by folders below when nothing else does") {
    const auto [files, handler, expected] = GENERATE(table<std::vector<std::string>, std::string, std::string>({
        {{"pkg/__init__.py", "pkg/mod.py"}, "pkg.mod.func", "python"},
        {{"pkg/__init__.py", "pkg/mod.py"}, "", "python"},
        {{"src/app.mjs", "readme.md"}, "", "node"},
        {{"src/app.mjs", "main.py"}, "src.app.handle", "node"},
        {{"src/app.py", "index.js"}, "index.handle", "node"},
        {{"lib/a.py", "node_modules/x/index.js", ".git/hook.js"}, "", "python"},
        {{"main.py"}, "../../etc/x.handle", "python"},
    }));
    const Folder folder(files);
    const auto found = host().detect(folder.path, handler);
    INFO(files.front() << " " << handler);
    REQUIRE(found.has_value());
    CHECK(*found == expected);
}

TEST_CASE("a folder that shows two languages or none is not guessed at") {
    const auto files = GENERATE(std::vector<std::string>{}, std::vector<std::string>{"main.py", "main.js"},
                                std::vector<std::string>{"readme.md"},
                                std::vector<std::string>{"a/x.py", "b/x.js"});
    const Folder folder(files);
    const auto found = host().detect(folder.path);
    REQUIRE(found.has_error());
    CHECK(found.error().code == Errc::validation_error);
}

}  // namespace hks::runtime
