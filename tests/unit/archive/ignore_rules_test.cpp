// SPDX-License-Identifier: Apache-2.0
#include "archive/ignore_rules.hpp"

#include "unit/archive/archive_maker.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>

using hks::archive::IgnoreRules;
using hks::archive::test::Folder;

namespace {

struct Case {
    const char* rules;
    const char* path;  ///< with a slash at the end: a folder
    bool ignored;
    const char* nested = "";  ///< rules of a/.gitignore
};

const Case cases[] = {
    {"", "x", false},
    {"x", "x", true},
    {"x", "xx", false},
    {"x", "a/x", true},
    {"x", "a/b/x", true},
    {"x", "x/y", true},
    {"# x", "x", false},
    {"#x", "#x", false},
    {"\\#x", "#x", true},
    {"!x", "!x", false},
    {"\\!x", "!x", true},
    {"x  ", "x", true},
    {"x\\ ", "x ", true},
    {"x\\ ", "x", false},
    {"x\t", "x", false},
    {"x\r", "x", true},
    {"\xEF\xBB\xBFx", "x", true},
    {"x/", "x", false},
    {"x/", "x/", true},
    {"x/", "x/y", true},
    {"x/", "a/x/", true},
    {"/x", "x", true},
    {"/x", "a/x", false},
    {"a/x", "a/x", true},
    {"a/x", "b/a/x", false},
    {"a/x/", "a/x", false},
    {"a/x/", "a/x/", true},
    {"/", "x", false},
    {"*.log", "x.log", true},
    {"*.log", "a/x.log", true},
    {"*.log", ".log", true},
    {"*.log", "x.logs", false},
    {"x*z", "xyyz", true},
    {"x*z", "xz", true},
    {"a/*.c", "a/x.c", true},
    {"a/*.c", "a/b/x.c", false},
    {"a/*", "a/x", true},
    {"a/*/x", "a/b/x", true},
    {"a/*/x", "a/b/c/x", false},
    {"?", "x", true},
    {"?", "xy", false},
    {"a?b/c", "a/b/c", false},
    {"**/x", "x", true},
    {"**/x", "a/b/x", true},
    {"**/a/x", "b/a/x", true},
    {"a/**", "a/x", true},
    {"a/**", "a/b/x", true},
    {"a/**", "a/", false},
    {"a/**/x", "a/x", true},
    {"a/**/x", "a/b/x", true},
    {"a/**/x", "a/b/c/x", true},
    {"a/**/x", "a/bx", false},
    {"a/**/x", "ax", false},
    {"**/b/**/x", "a/b/c/x", true},
    {"a/**/**/x", "a/b/x", true},
    {"a/***/x", "a/b/c/x", true},
    {"a**x", "abcx", true},
    {"a/b**x", "a/bcx", true},
    {"a/b**x", "a/bc/x", false},
    {"**", "x", true},
    {"/**", "a/x", true},
    {"[ab]", "a", true},
    {"[ab]", "c", false},
    {"[!ab]", "c", true},
    {"[^ab]", "a", false},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[]a]", "]", true},
    {"[!]a]", "b", true},
    {"[a-]", "-", true},
    {"[\\]]", "]", true},
    {"[[:digit:]]x", "7x", true},
    {"[[:digit:]]x", "yx", false},
    {"[[:alpha:]_]x", "_x", true},
    {"a[/]b", "a/b", false},
    {"a[!x]b", "a/b", false},
    {"[a", "[a", false},
    {"[[:nope:]]", "n", false},
    {"x\\", "x", false},
    {"\\x", "x", true},
    {"\\*", "*", true},
    {"\\*", "x", false},
    {"*\n!x", "x", false},
    {"!x\n*", "x", true},
    {"*.log\n!keep.log", "keep.log", false},
    {"*.log\n!keep.log", "a/keep.log", false},
    {"a\n!a/x", "a/x", true},
    {"a/*\n!a/x", "a/x", false},
    {"a/**\n!a/b/\n!a/b/x", "a/b/x", false},
    {"*\n!*/\n!*.py", "a/b/x.py", false},
    {"*\n!*/\n!*.py", "a/b/x.txt", true},
    {"x", "a/x", false, "!x"},
    {"", "a/x", true, "x"},
    {"", "x", false, "x"},
    {"", "a/b/x", true, "x"},
    {"", "a/b/x", false, "/x"},
    {"", "a/x", true, "/x"},
    {"*.log", "a/b/x.log", false, "!b/*.log"},
    {"!x", "a/x", true, "x"},
    {"a/", "a/x", true, "!x"},
    {"\n\n  \nx", "x", true},
    {"caf\xC3\xA9", "caf\xC3\xA9", true},
};

/// As pack() does it: an ignored folder ends the way down, and its own rules are not read.
bool ignored(const Case& c) {
    std::string path = c.path;
    const bool folder = path.ends_with('/');
    if (folder) path.pop_back();
    IgnoreRules rules;
    rules.push("", c.rules);
    for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        const std::string parent = path.substr(0, slash);
        if (rules.ignored(parent, true)) return true;
        if (parent == "a") rules.push("a", c.nested);
    }
    return rules.ignored(path, folder);
}

bool have_git() {
    return std::system("git --version >/dev/null 2>&1") == 0;
}

bool git_ignores(const Case& c) {
    Folder folder;
    if (std::system(("git init -q '" + folder.path.string() + "' 2>/dev/null").c_str()) != 0) return false;
    folder.write(".gitignore", c.rules);
    if (*c.nested) folder.write("a/.gitignore", c.nested);
    const std::string path = c.path;
    if (path.ends_with('/'))
        std::filesystem::create_directories(folder.path / path);
    else
        folder.write(path, "");
    folder.write(".name", path.ends_with('/') ? path.substr(0, path.size() - 1) : path);
    const std::string command =
        "cd '" + folder.path.string() +
        "' && tr '\\n' '\\0' <.name | GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 "
        "git check-ignore -q --no-index -z --stdin";
    return std::system(command.c_str()) == 0;
}

std::string show(const Case& c) {
    return std::string("rules '") + c.rules + "', nested '" + c.nested + "', path '" + c.path + "'";
}

}  // namespace

TEST_CASE("ignore patterns match what the table says") {
    static_assert(std::size(cases) >= 60);
    for (const Case& c : cases) {
        INFO(show(c));
        CHECK(ignored(c) == c.ignored);
    }
}

TEST_CASE("git agrees with the table of ignore patterns") {
    if (!have_git()) {
        WARN("git is not installed: the table was not compared");
        return;
    }
    for (const Case& c : cases) {
        INFO(show(c));
        CHECK(git_ignores(c) == c.ignored);
    }
}

TEST_CASE("a pattern that makes backtracking matchers explode is answered at once") {
    IgnoreRules rules;
    std::string pattern;
    for (int i = 0; i < 40; ++i) pattern += "*a";
    rules.push("", pattern + "b\n" + "**/**/**/**/**/**/**/**/x*y*z*q");
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(rules.ignored(std::string(200, 'a'), false));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(200));
}
