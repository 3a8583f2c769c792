// SPDX-License-Identifier: Apache-2.0
#include "runtime/process/line_splitter.hpp"

#include <catch2/catch.hpp>
#include <vector>

namespace hks::runtime {

namespace {
struct Lines {
    LineSplitter splitter;
    std::vector<std::string> got;
    void feed(std::string_view bytes) {
        splitter.feed(bytes, [this](std::string_view line) { got.emplace_back(line); });
    }
};
}  // namespace

TEST_CASE("a line that comes in pieces is handed out once, whole") {
    Lines lines;
    lines.feed("he");
    lines.feed("llo\nwor");
    CHECK(lines.got == std::vector<std::string>{"hello"});
    CHECK(lines.splitter.pending());
    lines.feed("ld\r\n\n");
    CHECK(lines.got == std::vector<std::string>{"hello", "world", ""});
}

TEST_CASE("a line without end is cut, not kept for ever") {
    Lines lines;
    for (int i = 0; i < 5; i++) lines.feed(std::string(40'000, 'x'));
    CHECK(lines.got.size() == 3);
    for (const auto& line : lines.got) CHECK(line.size() == max_log_line);
}

TEST_CASE("bytes that are not UTF-8 become replacement characters, the rest stays") {
    CHECK(to_utf8("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
    CHECK(to_utf8("a\xff\xc3z") == "a\xef\xbf\xbd\xef\xbf\xbdz");
}

TEST_CASE("a flood of lines is dropped and counted, and told once when it is over") {
    LogGate gate;
    const SteadyTime start{std::chrono::seconds(1)};
    uint64_t told = 0, kept = 0;
    for (int i = 0; i < 30'000; i++) kept += gate.admit(10, start, told);
    CHECK(kept == 20'000);
    CHECK(told == 0);
    CHECK_FALSE(gate.admit(10, start + milliseconds(50), told));
    REQUIRE(gate.admit(10, start + milliseconds(500), told));
    CHECK(told == 10'001);
    REQUIRE(gate.admit(10, start + milliseconds(500), told));
    CHECK(told == 0);
}

}  // namespace hks::runtime
