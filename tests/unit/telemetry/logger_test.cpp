// SPDX-License-Identifier: Apache-2.0
#include <hks/telemetry/logger.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <limits>
#include <regex>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace hks::telemetry;

namespace {

/// What a logger wrote, call by call.
struct Lines {
    std::vector<std::string> all;
    static void take(void* self, std::string_view line) { static_cast<Lines*>(self)->all.emplace_back(line); }
};

/// One line of text without its time.
std::string text_line(std::string_view message, std::initializer_list<Field> fields) {
    Lines lines;
    Logger logger(Level::debug, Format::text, Lines::take, &lines);
    logger.info(message, fields);
    REQUIRE(lines.all.size() == 1);
    return lines.all[0].substr(std::string("2026-11-23T23:03:58.123Z ").size());
}

nlohmann::json json_line(std::string_view message, std::initializer_list<Field> fields) {
    Lines lines;
    Logger logger(Level::debug, Format::json, Lines::take, &lines);
    logger.warn(message, fields);
    REQUIRE(lines.all.size() == 1);
    REQUIRE(std::count(lines.all[0].begin(), lines.all[0].end(), '\n') == 1);
    return nlohmann::json::parse(lines.all[0]);
}

}  // namespace

TEST_CASE("a text line is time, level, message and fields") {
    Lines lines;
    Logger logger(Level::debug, Format::text, Lines::take, &lines);
    logger.info("started", {{"port", 8080}, {"address", "127.0.0.1"}});
    REQUIRE(lines.all.size() == 1);
    CHECK(std::regex_match(
        lines.all[0],
        std::regex(
            R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO  started port=8080 address=127\.0\.0\.1\n)")));
}

TEST_CASE("values that could be misread are quoted") {
    CHECK(text_line("m",
                    {{"a", "two words"}, {"b", ""}, {"c", "x=y"}, {"d", "q\"uote"}, {"e", "plain/path:1"}}) ==
          "INFO  m a=\"two words\" b=\"\" c=\"x=y\" d=\"q\\\"uote\" e=plain/path:1\n");
}

TEST_CASE("no value can forge a line or drive a terminal") {
    CHECK(text_line("m", {{"a", "x\r\n2026 ERROR forged"},
                          {"b", "\x1b[31mred\x7f"},
                          {"c",
                           "\xc2\x9b"
                           "31m"}}) ==
          "INFO  m a=\"x\\r\\n2026 ERROR forged\" b=\"\\u001b[31mred\\u007f\" c=\"\\u009b31m\"\n");
}

TEST_CASE("no message can forge a line") {
    CHECK(text_line("a\nb\r\x1b\xe2\x80\xa8", {}) == "INFO  a\\nb\\r\\u001b\\u2028\n");
}

TEST_CASE("a message is written as it is where that is safe") {
    CHECK(text_line("cannot open \"C:\\x\" \xc3\xa4", {}) == "INFO  cannot open \"C:\\x\" \xc3\xa4\n");
}

TEST_CASE("what is not UTF-8 is replaced") {
    CHECK(text_line("m\xff", {{"a", "\xc3"}}) == "INFO  m\xef\xbf\xbd a=\"\xef\xbf\xbd\"\n");
    CHECK(json_line("m\xff", {})["message"] == "m\xef\xbf\xbd");
}

TEST_CASE("a JSON line is one object with numbers as numbers") {
    const auto line = json_line(
        "slow\nquery", {{"ms", 12}, {"ratio", 0.5}, {"ok", true}, {"who", "x\"y"}, {"negative", -3}});
    CHECK(line["level"] == "warn");
    CHECK(line["message"] == "slow\nquery");
    CHECK(line["ms"] == 12);
    CHECK(line["ratio"] == 0.5);
    CHECK(line["ok"] == true);
    CHECK(line["who"] == "x\"y");
    CHECK(line["negative"] == -3);
    CHECK(line["time"].get<std::string>().size() == 24);
}

TEST_CASE("numbers that JSON does not have become texts") {
    const auto line = json_line("m", {{"a", std::numeric_limits<double>::quiet_NaN()},
                                      {"b", -std::numeric_limits<double>::infinity()}});
    CHECK(line["a"].is_string());
    CHECK(line["b"] == "-inf");
}

TEST_CASE("levels below the chosen one are not written") {
    Lines lines;
    Logger logger(Level::warn, Format::text, Lines::take, &lines);
    logger.debug("no");
    logger.info("no");
    logger.warn("yes");
    logger.error("yes");
    CHECK(lines.all.size() == 2);
    CHECK_FALSE(logger.enabled(Level::info));
}

TEST_CASE("a logger that is off writes nothing") {
    Lines lines;
    Logger logger(Level::off, Format::text, Lines::take, &lines);
    logger.error("no");
    logger.log(Level::off, "no");
    CHECK(lines.all.empty());
}

TEST_CASE("lines of many threads stay whole") {
    Lines lines;
    {
        Logger logger(Level::info, Format::text, Lines::take, &lines);
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&logger, t] {
                for (int i = 0; i < 250; ++i) logger.info("line", {{"thread", t}, {"i", i}});
            });
        for (auto& thread : threads) thread.join();
    }
    REQUIRE(lines.all.size() == 1'000);
    CHECK(std::all_of(lines.all.begin(), lines.all.end(),
                      [](const std::string& line) { return line.ends_with('\n'); }));
}

TEST_CASE("a stderr that takes nothing more does not hold the logger up") {
    int ends[2];
    REQUIRE(pipe2(ends, O_NONBLOCK) == 0);
    const int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    {
        Logger logger(Level::info, Format::text);
        for (int i = 0; i < 2'000; ++i) logger.info(std::string(200, 'x'));
    }
    std::string kept(1 << 20, '\0');
    const ssize_t n = read(ends[0], kept.data(), kept.size());
    {
        Logger logger(Level::info, Format::text);
        logger.info("after");
    }
    char last[200];
    const ssize_t after = read(ends[0], last, sizeof last);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[0]);
    close(ends[1]);
    CHECK(n > 0);
    CHECK(std::string_view(last, static_cast<size_t>(after)).ends_with("INFO  after\n"));
}

TEST_CASE("levels are read from their names") {
    Level level = Level::info;
    CHECK(level_from_text("debug", level));
    CHECK(level == Level::debug);
    CHECK(level_from_text("off", level));
    CHECK(level == Level::off);
    CHECK_FALSE(level_from_text("loud", level));
    CHECK(level == Level::off);
}
