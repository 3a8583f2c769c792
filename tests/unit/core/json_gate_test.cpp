// SPDX-License-Identifier: Apache-2.0
#include <hks/core/json_gate.hpp>
#include <hks/core/json_text.hpp>

#include <nlohmann/json.hpp>

#include <catch2/catch.hpp>
#include <random>

using namespace hks;

namespace {

std::string nested(size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

std::string as_json(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

}  // namespace

TEST_CASE("depth counts brackets and braces") {
    CHECK(json_depth("1") == 0);
    CHECK(json_depth("") == 0);
    CHECK(json_depth("{}") == 1);
    CHECK(json_depth(R"({"a":[{"b":1}],"c":[]})") == 3);
    CHECK(json_depth("[[],[],[[]]]") == 3);
}

TEST_CASE("brackets within strings do not count") {
    CHECK(json_depth(R"(["[[[[", "]", "{"])") == 1);
    CHECK(json_depth(R"(["a\"[[", "\\", [1]])") == 2);
    CHECK(json_depth(R"(["a long string, longer than eight bytes [[[ \" [[[ and so on"])") == 1);
    CHECK(json_depth("[\"\\\\\",[[1]]]") == 3);
}

TEST_CASE("a string that does not end hides nothing and ends the scan") {
    CHECK(json_depth("[\"abc") == 1);
    CHECK(json_depth("[\"abc\\") == 1);
    CHECK(json_depth("[\"") == 1);
}

TEST_CASE("closing too often does not hide the depth that follows") {
    CHECK(json_depth("]]]][[[") == 3);
}

TEST_CASE("counting stops one above the limit") {
    CHECK(json_depth(nested(100'000)) == max_json_depth + 1);
    CHECK(json_depth(nested(10), 3) == 4);
}

TEST_CASE("the scan agrees with a plain one on random texts") {
    std::mt19937 random(7);
    constexpr std::string_view alphabet = "[]{}\"\\a";
    for (int round = 0; round < 2'000; ++round) {
        std::string text(random() % 60, ' ');
        for (auto& c : text) c = alphabet[random() % alphabet.size()];
        int depth = 0, deepest = 0;
        bool inside = false;
        for (size_t i = 0; i < text.size(); ++i) {
            if (inside) {
                if (text[i] == '\\')
                    ++i;
                else if (text[i] == '"')
                    inside = false;
            } else if (text[i] == '"')
                inside = true;
            else if (text[i] == '[' || text[i] == '{')
                deepest = std::max(deepest, ++depth);
            else if ((text[i] == ']' || text[i] == '}') && depth > 0)
                --depth;
        }
        INFO(text);
        REQUIRE(json_depth(text) == deepest);
    }
}

TEST_CASE("JSON up to the deepest level is parsed") {
    CHECK(parse_json(nested(max_json_depth)).has_value());
}

TEST_CASE("JSON below the deepest level is refused") {
    const auto result = parse_json(nested(max_json_depth + 1));
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Errc::validation_error);
}

TEST_CASE("what is not JSON is refused with its place") {
    const auto result = parse_json(R"({"a": 1,})");
    REQUIRE_FALSE(result.has_value());
    CHECK_THAT(result.error().message, Catch::Contains("byte 9"));
}

TEST_CASE("ugly texts are refused without an exception") {
    const std::string text = GENERATE(as<std::string>{}, "", " ", "{", "nul", "1 2", "[1e999]", "\"\xff\"",
                                      "{\"a\":1}x", "'a'", "[01]", "\"\x01\"");
    CHECK_FALSE(parse_json(text).has_value());
}

TEST_CASE("well-formed UTF-8 is recognised at every alignment") {
    const std::string sample =
        GENERATE(as<std::string>{}, "", "plain ascii text, longer than eight", "\xc3\xa4", "\xe2\x82\xac",
                 "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "\xc2\x80");
    for (size_t before = 0; before < 17; ++before)
        CHECK(is_utf8(std::string(before, 'x') + sample + std::string(16 - before, 'y')));
}

TEST_CASE("malformed UTF-8 is noticed at every alignment") {
    const std::string sample =
        GENERATE(as<std::string>{}, "\x80", "\xff", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
                 "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82",
                 "\xf0\x9f\x98", "\xc3(");
    for (size_t before = 0; before < 17; ++before) {
        CHECK_FALSE(is_utf8(std::string(before, 'x') + sample));
        CHECK_FALSE(is_utf8(std::string(before, 'x') + sample + "yyyyyyyyyy"));
    }
}

TEST_CASE("strings are written so that JSON reads them back") {
    const std::string text =
        GENERATE(as<std::string>{}, "", "plain", "quote \" and \\ back", "line\nfeed\ttab\r\b\f", "\x01\x1f",
                 std::string("nul\0nul", 7), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "del\x7f", "\xc2\x85",
                 "\xe2\x80\xa8\xe2\x80\xa9");
    CHECK(nlohmann::json::parse(as_json(text)) == text);
}

TEST_CASE("strings hold nothing that ends a line or drives a terminal") {
    CHECK(as_json("a\nb\r\x1b[31m\x7f\xc2\x9b\xe2\x80\xa8") == R"("a\nb\r\u001b[31m\u007f\u009b\u2028")");
}

TEST_CASE("broken UTF-8 becomes replacement characters") {
    CHECK(as_json("a\xff"
                  "b\xe2\x82") ==
          "\"a\xef\xbf\xbd"
          "b\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK(as_json("\xed\xa0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}
