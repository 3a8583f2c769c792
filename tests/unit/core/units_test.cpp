// SPDX-License-Identifier: Apache-2.0
#include <hks/core/units.hpp>

#include <catch2/catch.hpp>
#include <random>

using namespace hks;
using namespace std::chrono_literals;

TEST_CASE("sizes are read in binary and decimal units") {
    CHECK(parse_bytes("128Mi").value() == 128ull << 20);
    CHECK(parse_bytes("1Gi").value() == 1ull << 30);
    CHECK(parse_bytes("512M").value() == 512'000'000);
    CHECK(parse_bytes("64k").value() == 64'000);
    CHECK(parse_bytes("64Ki").value() == 65'536);
    CHECK(parse_bytes("1048576").value() == 1'048'576);
    CHECK(parse_bytes("0").value() == 0);
    CHECK(parse_bytes("0.5Gi").value() == 512ull << 20);
    CHECK(parse_bytes("18446744073709551615").value() == UINT64_MAX);
}

TEST_CASE("what is not a size is refused") {
    const std::string text =
        GENERATE(as<std::string>{}, "", "Mi", "-1", "1 Mi", "1mi", "1.5", "1.", ".5Gi", "1e3", "128MB",
                 "0x10", "1Mi ", "18446744073709551616", "99999999999Gi", "1Mi1", "0.0000001Gi");
    const auto result = parse_bytes(text);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Errc::validation_error);
}

TEST_CASE("sizes print in their shortest exact spelling") {
    CHECK(format_bytes(128ull << 20) == "128Mi");
    CHECK(format_bytes(1ull << 30) == "1Gi");
    CHECK(format_bytes(1536ull << 20) == "1536Mi");
    CHECK(format_bytes(512'000'000) == "512M");
    CHECK(format_bytes(1'000'001) == "1000001");
    CHECK(format_bytes(0) == "0");
}

TEST_CASE("every size reads back what it prints") {
    std::mt19937_64 random(7);
    for (int i = 0; i < 2'000; ++i) {
        const uint64_t bytes = random() >> (random() % 64) << (random() % 20);
        CHECK(parse_bytes(format_bytes(bytes)).value() == bytes);
    }
}

TEST_CASE("durations are read in every unit and mixed") {
    CHECK(parse_duration("30s").value() == 30s);
    CHECK(parse_duration("500ms").value() == 500ms);
    CHECK(parse_duration("2m").value() == 2min);
    CHECK(parse_duration("1h30m").value() == 90min);
    CHECK(parse_duration("24h").value() == 24h);
    CHECK(parse_duration("7d").value() == 168h);
    CHECK(parse_duration("1d2h3m4s5ms").value() == 26h + 3min + 4s + 5ms);
    CHECK(parse_duration("15").value() == 15s);
    CHECK(parse_duration("0.5").value() == 500ms);
    CHECK(parse_duration("1.5h").value() == 90min);
    CHECK(parse_duration("0").value() == 0ms);
}

TEST_CASE("what is not a duration is refused") {
    const std::string text =
        GENERATE(as<std::string>{}, "", "s", "-1s", "1 s", "30m1h", "1m1m", "1h30", "5y", "0.0001s", "1.5.5s",
                 "forever", "99999999999999999999s", "200000d", "1e3s");
    CHECK_FALSE(parse_duration(text).has_value());
}

TEST_CASE("durations print as people write them") {
    CHECK(format_duration(30s) == "30s");
    CHECK(format_duration(60s) == "60s");
    CHECK(format_duration(900s) == "900s");
    CHECK(format_duration(1500ms) == "1500ms");
    CHECK(format_duration(0ms) == "0s");
    CHECK(format_duration(90min) == "1h30m");
    CHECK(format_duration(24h) == "24h");
    CHECK(format_duration(168h) == "7d");
}

TEST_CASE("every duration reads back what it prints") {
    std::mt19937_64 random(7);
    for (int i = 0; i < 2'000; ++i) {
        const std::chrono::milliseconds duration(random() % 4'000'000'000 / (1 + random() % 1'000) *
                                                 (1 + random() % 1'000));
        INFO(format_duration(duration));
        CHECK(parse_duration(format_duration(duration)).value() == duration);
    }
}

TEST_CASE("cpu is read in cores and thousandths") {
    CHECK(parse_cpu("100m").value() == 100);
    CHECK(parse_cpu("0.5").value() == 500);
    CHECK(parse_cpu("2").value() == 2'000);
    CHECK(parse_cpu("1.250").value() == 1'250);
}

TEST_CASE("what is not an amount of cpu is refused") {
    const std::string text =
        GENERATE(as<std::string>{}, "", "m", "-1", "1.0001", "0.5m", "1 m", "100mm", "4294968", "two");
    CHECK_FALSE(parse_cpu(text).has_value());
}

TEST_CASE("cpu reads back what it prints") {
    for (const uint32_t millis : {0u, 1u, 100u, 999u, 1'000u, 1'500u, 64'000u, 4'294'967'295u})
        CHECK(parse_cpu(format_cpu(millis)).value() == millis);
}
