// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <gateway/function_headers.hpp>

using namespace hks;
using namespace hks::gateway;
using namespace std::string_literals;

TEST_CASE("what of a function's headers goes out") {
    struct Row {
        std::string block;
        bool fine;
        std::string lines;
    };
    const Row rows[] = {
        {"", true, ""},
        {"content-type: text/plain\n", true, "content-type: text/plain\r\n"},
        {"X-A:1\nx-b:   2  \n", true, "X-A: 1\r\nx-b: 2\r\n"},
        {"x-empty:\n", true, "x-empty: \r\n"},
        {"set-cookie: a=1\nset-cookie: b=2\n", true, "set-cookie: a=1\r\nset-cookie: b=2\r\n"},
        {"x-utf8: grün\n", true, "x-utf8: grün\r\n"},
        {"x-tab: a\tb\n", true, "x-tab: a\tb\r\n"},
        {"server-timing: db;dur=5\n", true, "server-timing: db;dur=5\r\n"},
        {"x-colon: a:b\n", true, "x-colon: a:b\r\n"},
        // not the function's to say
        {"content-length: 5\nContent-Length: 7\n", true, ""},
        {"Transfer-Encoding: chunked\n", true, ""},
        {"connection: close\nKeep-Alive: timeout=5\nupgrade: websocket\nTE: trailers\ntrailer: x\n", true,
         ""},
        {"date: yesterday\nproxy-authenticate: Basic\nproxy-connection: close\n", true, ""},
        {"X-Hks-Version: 9\nx-hks-invocation-id: forged\nx-hks-: 1\n", true, ""},
        // splitting and nonsense
        {"x-a: 1\r\nx-b: 2\n", false, ""},
        {"x-a: 1\rx-b: 2\n", false, ""},
        {"x-a: a\0b\n"s, false, ""},
        {"x-a: \x7f\n", false, ""},
        {"x-a: \x1b[2J\n", false, ""},
        {"x-a\n", false, ""},
        {": value\n", false, ""},
        {"\n", false, ""},
        {"x a: 1\n", false, ""},
        {" x-a: 1\n", false, ""},
        {"x-a : 1\n", false, ""},
        {"x-ä: 1\n", false, ""},
        {"x-a: no end", false, ""},
        {"x-a: 1\n\nHTTP/1.1 200 OK\n", false, ""},
        {"content-length: 1\r\n\n", false, ""},
    };
    for (const Row& row : rows) {
        INFO(row.block);
        std::string out;
        std::string_view why;
        CHECK(append_function_headers(out, row.block, why) == row.fine);
        if (row.fine) CHECK(out == row.lines);
        CHECK(why.empty() == row.fine);
    }
}

TEST_CASE("milliseconds have three decimals") {
    const std::pair<int64_t, const char*> rows[] = {{0, "0"},
                                                    {1, "0.001"},
                                                    {12, "0.012"},
                                                    {999, "0.999"},
                                                    {1000, "1.000"},
                                                    {1234567, "1234.567"},
                                                    {30'000'000, "30000.000"}};
    for (const auto& [us, text] : rows) {
        std::string out;
        append_milliseconds(out, us);
        CHECK(out == text);
    }
}
