// SPDX-License-Identifier: Apache-2.0
#include <hks/core/base64.hpp>
#include <hks/core/clock.hpp>
#include <hks/core/log_record.hpp>
#include <hks/core/suggest.hpp>

#include <array>
#include <catch2/catch.hpp>
#include <random>

using namespace hks;
using namespace std::chrono_literals;

TEST_CASE("base64 encodes the vectors of RFC 4648") {
    const std::array<std::pair<const char*, const char*>, 7> vectors{{{"", ""},
                                                                      {"f", "Zg=="},
                                                                      {"fo", "Zm8="},
                                                                      {"foo", "Zm9v"},
                                                                      {"foob", "Zm9vYg=="},
                                                                      {"fooba", "Zm9vYmE="},
                                                                      {"foobar", "Zm9vYmFy"}}};
    for (const auto& [bytes, text] : vectors) {
        CHECK(base64_encode(bytes) == text);
        CHECK(base64_decode(text) == std::string(bytes));
    }
}

TEST_CASE("base64 brings any bytes back") {
    std::mt19937 random(7);
    for (size_t size = 0; size < 200; ++size) {
        std::string bytes(size, '\0');
        for (auto& c : bytes) c = static_cast<char>(random());
        CHECK(base64_decode(base64_encode(bytes)) == bytes);
    }
}

TEST_CASE("base64 refuses what is not the standard alphabet with padding") {
    const std::string text =
        GENERATE(as<std::string>{}, "Zg", "Zg=", "Z", "Zg==\n", "Z g=", "Zm9-", "Zm9_",
                 "====", "=g==", "Zg=g", "Z===", "Zh==", "Zm9=", "Zm9v====", "\xff\xff\xff\xff");
    CHECK_FALSE(base64_decode(text).has_value());
}

TEST_CASE("times print as RFC 3339 with milliseconds") {
    CHECK(to_rfc3339(WallTime{}) == "1970-01-01T00:00:00.000Z");
    CHECK(to_rfc3339(WallTime{1795475038123ms}) == "2026-11-23T23:03:58.123Z");
    CHECK(to_rfc3339(WallTime{-1ms}) == "1969-12-31T23:59:59.999Z");
    CHECK(to_rfc3339(WallTime{951782400s}) == "2000-02-29T00:00:00.000Z");
}

TEST_CASE("times read back what they print") {
    std::mt19937_64 random(7);
    for (int i = 0; i < 200; ++i) {
        const WallTime time{std::chrono::milliseconds(static_cast<int64_t>(random() % 9'000'000'000'000) -
                                                      4'000'000'000'000)};
        WallTime read;
        REQUIRE(from_rfc3339(to_rfc3339(time), read));
        CHECK(read == time);
    }
}

TEST_CASE("times read offsets, fractions and lower case") {
    WallTime time;
    REQUIRE(from_rfc3339("2026-11-24t01:03:58.5+02:00", time));
    CHECK(to_rfc3339(time) == "2026-11-23T23:03:58.500Z");
    REQUIRE(from_rfc3339("2026-11-23 23:03:58z", time));
    CHECK(to_rfc3339(time) == "2026-11-23T23:03:58.000Z");
    REQUIRE(from_rfc3339("2016-12-31T23:59:60Z", time));  // a leap second
    CHECK(to_rfc3339(time) == "2017-01-01T00:00:00.000Z");
    REQUIRE(from_rfc3339("2026-11-23T23:03:58.1234567891234Z", time));
    CHECK(to_rfc3339(time) == "2026-11-23T23:03:58.123Z");
}

TEST_CASE("what is not a time is refused") {
    const std::string text =
        GENERATE(as<std::string>{}, "", "now", "2026-11-23", "2026-11-23T23:03Z", "2026-11-23T23:03:58",
                 "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-23T24:00:00Z",
                 "2026-11-23T23:60:00Z", "2026-11-23T23:03:61Z", "2026-11-23T23:03:58.Z",
                 "2026-11-23T23:03:58Z ", "2026-11-23T23:03:58+2:00", "2026-11-23T23:03:58+24:00",
                 "0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "20261123T230358Z", "2026-11-23T-1:03:58Z");
    WallTime time;
    CHECK_FALSE(from_rfc3339(text, time));
}

TEST_CASE("log levels have names both ways") {
    for (const auto level : {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error}) {
        LogLevel read = LogLevel::debug;
        REQUIRE(level_from_name(level_name(level), read));
        CHECK(read == level);
    }
    LogLevel read = LogLevel::warn;
    CHECK_FALSE(level_from_name("WARN", read));
    CHECK(read == LogLevel::warn);
}

TEST_CASE("a slip of the fingers gets a suggestion") {
    const std::array<std::string_view, 5> names{"deploy", "delete", "invoke", "logs", "timeout"};
    CHECK(closest_name("deplyo", names) == "deploy");
    CHECK(closest_name("invok", names) == "invoke");
    CHECK(closest_name("timeuot", names) == "timeout");
    CHECK(closest_name("lgos", names) == "logs");
}

TEST_CASE("a different word gets no suggestion") {
    const std::array<std::string_view, 3> names{"deploy", "logs", "a"};
    CHECK(closest_name("banana", names).empty());
    CHECK(closest_name("", names).empty());
    CHECK(closest_name("b", names).empty());
    CHECK(closest_name(std::string(100'000, 'x'), names).empty());
}
