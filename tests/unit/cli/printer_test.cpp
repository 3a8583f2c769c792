// SPDX-License-Identifier: Apache-2.0
#include "cli/printer.hpp"

#include <hks/core/yaml.hpp>

#include <catch2/catch.hpp>

using namespace hks::cli;

TEST_CASE("YAML output quotes strings that would be read back as something else") {
    CHECK(to_yaml({{"version", "3.11"}}) == "version: \"3.11\"");
    CHECK(to_yaml({{"flag", "true"}, {"n", 3}}) == "flag: \"true\"\nn: 3");
    CHECK(to_yaml({{"memory", "128Mi"}, {"nothing", nullptr}}) == "memory: 128Mi\nnothing: null");
}

TEST_CASE("YAML output is read back as it was") {
    const nlohmann::json value{{"null", nullptr},
                               {"text", {"null", "Null", "~", "True", "off", "0x1F", "1e3", ".inf", ""}},
                               {"numbers", {1, 1.5}},
                               {"flags", {true, false}},
                               {"3", 100},
                               {"lines", "a\nb: c"},
                               {"empty", nlohmann::json::array()}};
    auto read = hks::read_yaml(to_yaml(value), "", [](const std::string&) { return false; });
    REQUIRE(read.has_value());
    CHECK(read->value == value);
}

TEST_CASE("control characters of others are shown, not obeyed") {
    CHECK(printable("a\tb \xC3\xBC") == "a\tb \xC3\xBC");
    CHECK(printable("\x1b[31m\r\x7f") == "\\x1b[31m\\x0d\\x7f");
    CHECK(printable("\xC2\x9B" "1m") == "\\x9b1m");
    CHECK(printable("one\ntwo", "  ") == "one\n  two");
    CHECK(printable(std::string_view("\0", 1)) == "\\x00");
}
