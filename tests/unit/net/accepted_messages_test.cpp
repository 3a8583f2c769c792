// SPDX-License-Identifier: Apache-2.0
#include "message_judge.hpp"
#include "refused_messages.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace hks::net;
using namespace hks::net::test;

namespace {

Message read_one(const std::string& bytes, const HttpLimits& limits = {}) {
    const Verdict verdict = judge_whole(bytes, limits);
    INFO(bytes);
    REQUIRE(verdict.status == 0);
    REQUIRE(verdict.complete);
    REQUIRE(verdict.messages.size() == 1);
    REQUIRE(judge_bytewise(bytes, limits) == verdict);
    for (size_t at = 0; at<bytes.size(); at += bytes.size()> 3000 ? 101 : 1)
        REQUIRE(judge_split(bytes, at, limits) == verdict);
    return verdict.messages.front();
}

bool has_header(const Message& message, const std::string& name) {
    for (const auto& header : message.headers)
        if (header.first == name) return true;
    return false;
}

std::string value_of(const Message& message, const std::string& name) {
    for (const auto& header : message.headers)
        if (header.first == name) return header.second;
    return "(absent)";
}

}  // namespace

TEST_CASE("a plain GET is read") {
    const Message message = read_one("GET /hello?name=x HTTP/1.1\r\nHost: example.com:8080\r\n\r\n");
    CHECK(message.method == "GET");
    CHECK(message.target == "/hello?name=x");
    CHECK(message.path == "/hello");
    CHECK(message.query == "name=x");
    CHECK(message.host == "example.com:8080");
    CHECK(message.keep_alive);
}

TEST_CASE("every method of the list is read") {
    for (const char* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
        CHECK(read_one(line(std::string(method) + " / HTTP/1.1")).method == method);
}

TEST_CASE("header names are lower case, values keep theirs and lose the white space around them") {
    const Message message =
        read_one(get("X-Mixed-CASE: \t Some Value\t \r\nEmpty:\r\nTab: a\tb\r\nEight: \xC3\xA9"));
    CHECK(value_of(message, "x-mixed-case") == "Some Value");
    CHECK(value_of(message, "empty").empty());
    CHECK(value_of(message, "tab") == "a\tb");
    CHECK(value_of(message, "eight") == "\xC3\xA9");
}

TEST_CASE("a repeated header stays repeated, in order") {
    const Message message = read_one(get("A: 1\r\nB: x\r\nA: 2"));
    std::vector<std::string> values;
    for (const auto& [name, value] : message.headers)
        if (name == "a") values.push_back(value);
    CHECK(values == std::vector<std::string>{"1", "2"});
}

TEST_CASE("one empty line before a request is tolerated") {
    CHECK(read_one("\r\n" + get("A: b")).method == "GET");
}

TEST_CASE("hosts of all kinds are accepted") {
    for (const char* name :
         {"a", "A.Example", "127.0.0.1:80", "[::1]", "[2001:db8::1]:8443", "a_b.c-d~e:65535", "localhost:1"})
        CHECK(read_one(host(name)).host == name);
}

TEST_CASE("HTTP/1.0 needs no Host and closes unless it asks not to") {
    CHECK_FALSE(read_one("GET / HTTP/1.0\r\n\r\n").keep_alive);
    CHECK(read_one("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
    CHECK_FALSE(read_one("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keep_alive);
}

TEST_CASE("Connection: close ends persistence in any case and any list") {
    CHECK_FALSE(read_one(get("Connection: close")).keep_alive);
    CHECK_FALSE(read_one(get("Connection: keep-alive , CLOSE")).keep_alive);
    CHECK_FALSE(read_one(get("Connection: keep-alive\r\nConnection: close")).keep_alive);
    CHECK(read_one(get("Connection: Keep-Alive")).keep_alive);
    CHECK(read_one(get("Connection: , ,")).keep_alive);
}

TEST_CASE("hop-by-hop fields, and those that Connection names, do not reach the handler") {
    const Message message = read_one(
        get("Connection: X-Secret, upgrade\r\nX-Secret: 1\r\nx-SECRET: 2\r\nKeep-Alive: timeout=5\r\nTE: "
            "trailers\r\n"
            "Trailer: A\r\nUpgrade: h2c\r\nProxy-Authorization: x\r\nProxy-Connection: x\r\nKept: yes"));
    CHECK(message.headers ==
          std::vector<std::pair<std::string, std::string>>{{"host", "a"}, {"kept", "yes"}});
}

TEST_CASE("what only a trusted proxy or the platform may say is dropped") {
    const Message message =
        read_one(get("X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nForwarded: "
                     "for=x\r\nX-Hks-Version: 9\r\nX-Other: 1"));
    CHECK(message.headers ==
          std::vector<std::pair<std::string, std::string>>{{"host", "a"}, {"x-other", "1"}});
}

TEST_CASE("names with an underscore are dropped, framing look-alikes too") {
    const Message message =
        read_one(get("Content_Length: 5\r\nTransfer_Encoding: chunked\r\nA_B: 1\r\n_: 1"));
    CHECK(message.headers.size() == 1);
    CHECK(message.body.empty());
}

TEST_CASE("a body with a length is read") {
    const Message message = read_one(post("Content-Length: 5", "hello"));
    CHECK(message.body == "hello");
    CHECK(value_of(message, "content-length") == "5");
}

TEST_CASE("a length of zero is a length") {
    CHECK(read_one(post("Content-Length: 0", "")).body.empty());
}

TEST_CASE("a chunked body is put together and carries no framing fields") {
    const Message message = read_one(chunked("5\r\nhello\r\nA;x=\"y;z\";q\r\n, world 10\r\n00\r\n\r\n"));
    CHECK(message.body == "hello, world 10");
    CHECK_FALSE(has_header(message, "transfer-encoding"));
    CHECK_FALSE(has_header(message, "content-length"));
}

TEST_CASE("chunked is known in any case") {
    CHECK(read_one(post("Transfer-Encoding: CHUNKed", "3\r\nabc\r\n0\r\n\r\n")).body == "abc");
}

TEST_CASE("trailer fields are read and dropped") {
    const Message message = read_one(chunked("1\r\nx\r\n0\r\nAuthorization: Bearer x\r\nHost: evil\r\n\r\n"));
    CHECK(message.body == "x");
    CHECK_FALSE(has_header(message, "authorization"));
    CHECK(message.host == "a");
}

TEST_CASE("a hundred thousand chunks of one byte are one cheap pass") {
    std::string body;
    for (int i = 0; i < 100'000; ++i) body += "1\r\nx\r\n";
    const Verdict verdict = judge_whole(chunked(body + "0\r\n\r\n"));
    REQUIRE(verdict.messages.size() == 1);
    CHECK(verdict.messages[0].body.size() == 100'000);
}

TEST_CASE("Expect: 100-continue matters only where a body will come") {
    CHECK(read_one(post("Expect: 100-Continue\r\nContent-Length: 1", "x")).expects_continue);
    CHECK_FALSE(read_one(get("Expect: 100-continue")).expects_continue);
    CHECK_FALSE(
        read_one("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx").expects_continue);
}

TEST_CASE("absolute-form is accepted when it names the Host") {
    const Message message = read_one("GET HTTP://A.example:80/x?y HTTP/1.1\r\nHost: a.EXAMPLE:80\r\n\r\n");
    CHECK(message.path == "/x");
    CHECK(message.query == "y");
    CHECK(read_one("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n").path == "/");
    CHECK(read_one("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n").query == "b");
}

TEST_CASE("OPTIONS * is read as it is") {
    CHECK(read_one(line("OPTIONS * HTTP/1.1")).path == "*");
}

TEST_CASE("paths have one normal form") {
    const std::vector<std::pair<const char*, const char*>> cases{
        {"/", "/"},
        {"/a/b", "/a/b"},
        {"/a/b/", "/a/b/"},
        {"//", "/"},
        {"//a///b//", "/a/b/"},
        {"/./a/./b/.", "/a/b/"},
        {"/a/../b", "/b"},
        {"/a/b/..", "/a/"},
        {"/a/b/../..", "/"},
        {"/a/..", "/"},
        {"/a//../b", "/b"},
        {"/%61/%2e%2E/b", "/b"},
        {"/a/%2e/b", "/a/b"},
        {"/...", "/..."},
        {"/.a/..b/c.", "/.a/..b/c."},
        {"/%41%7E", "/A~"},
        {"/a%20b", "/a b"},
        {"/%C3%A9", "/\xC3\xA9"},
        {"/a%2fb", "/a%2Fb"},
        {"/a%5cb", "/a%5Cb"},
        {"/..%2fb", "/..%2Fb"},
        {"/a%252fb", "/a%2fb"},
        {"/a%3Fb", "/a?b"},
        {"/a%23b", "/a#b"},
        {"/a;x=1/b", "/a;x=1/b"},
        {"/a+b", "/a+b"},
        {"/%2e", "/"},
        {"/a?b%zz/../..", "/a"},
    };
    for (const auto& [raw, path] : cases) {
        INFO(raw);
        CHECK(read_one(target(raw)).path == path);
    }
}

TEST_CASE("what is just within a limit is read") {
    HttpLimits limits;
    limits.request_line = 64;
    limits.header_bytes = 128;
    limits.header_count = 4;
    limits.body_bytes = 8;
    const std::string longest_line = "GET /" + std::string(64 - 16, 'a') + " HTTP/1.1\r\n";
    REQUIRE(longest_line.size() == 64);
    CHECK(read_one(longest_line + "Host: a\r\n\r\n", limits).method == "GET");
    const std::string fields = "Host: a\r\nB: " + std::string(128 - 9 - 3 - 2 - 2, 'b') + "\r\n\r\n";
    REQUIRE(fields.size() == 128);
    CHECK(read_one("GET / HTTP/1.1\r\n" + fields, limits).method == "GET");
    CHECK(read_one("GET / HTTP/1.1\r\nHost: a\r\nA:\r\nA:\r\nA:\r\n\r\n", limits).method == "GET");
    CHECK(read_one("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n12345678", limits).body ==
          "12345678");
}

TEST_CASE("one byte over a limit is refused, however it arrives") {
    HttpLimits limits;
    limits.request_line = 64;
    limits.header_bytes = 128;
    limits.header_count = 4;
    limits.body_bytes = 8;
    const std::vector<std::pair<std::string, int>> cases{
        {"GET /" + std::string(64 - 15, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
        {"GET / HTTP/1.1\r\nHost: a\r\nB: " + std::string(128 - 9 - 3 - 2 - 1, 'b') + "\r\n\r\n", 431},
        {"GET / HTTP/1.1\r\nHost: a\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n", 431},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789", 413},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
         "chunked\r\n\r\n5\r\n12345\r\n4\r\n1234\r\n0\r\n\r\n",
         413},
    };
    for (const auto& [bytes, status] : cases) {
        INFO(bytes);
        const Verdict verdict = judge_whole(bytes, limits);
        CHECK(verdict.status == status);
        CHECK(judge_bytewise(bytes, limits) == verdict);
        for (size_t at = 0; at < bytes.size(); ++at) CHECK(judge_split(bytes, at, limits) == verdict);
    }
}

TEST_CASE("pipelined messages are read one after the other, however they are split") {
    const std::vector<std::string> parts{get("A: b"),           post("Content-Length: 5", "GET /"),
                                         "\r\n" + get("C: d"),  chunked("4\r\nPOST\r\n0\r\nT: x\r\n\r\n"),
                                         target("/a%20b/../c"), post("Content-Length: 0", "")};
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
        std::string stream;
        const size_t count = 1 + random() % 6;
        for (size_t i = 0; i < count; ++i) stream += parts[random() % parts.size()];
        const Verdict whole = judge_whole(stream);
        REQUIRE(whole.status == 0);
        REQUIRE(whole.complete);
        REQUIRE(whole.messages.size() == count);
        MessageJudge judge;
        for (size_t at = 0; at < stream.size();) {
            const size_t size = 1 + random() % 40;
            judge.feed(std::string_view(stream).substr(at, size));
            at += size;
        }
        REQUIRE(judge.verdict() == whole);
    }
}

TEST_CASE("a refused message does not undo the one before it, and nothing after it is read") {
    const Verdict verdict = judge_whole(get("A: b") + get("A : b") + get("A: b"));
    CHECK(verdict.messages.size() == 1);
    CHECK(verdict.status == 400);
}

TEST_CASE("an unfinished message is neither accepted nor refused") {
    const std::string message = post("Content-Length: 5", "hello");
    for (size_t size = 1; size < message.size(); ++size) {
        const Verdict verdict = judge_whole(std::string_view(message).substr(0, size));
        CHECK(verdict.status == 0);
        CHECK_FALSE(verdict.complete);
    }
}

TEST_CASE("the value scanner agrees with the character table at every length and position") {
    for (size_t size = 1; size <= 40; ++size)
        for (size_t at = 0; at < size; ++at)
            for (int c = 0; c < 256; ++c) {
                std::string text(size, 'x');
                text[at] = static_cast<char>(c);
                const bool allowed = (c >= 0x20 && c != 0x7f) || c == '\t';
                if (find_value_end(text.data(), size) != (allowed ? size : at))
                    FAIL("byte " << c << " at " << at);
            }
}
