// SPDX-License-Identifier: Apache-2.0
#include "cli/api_client.hpp"
#include "unit/cli/scripted_server.hpp"

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::cli;

namespace {

const std::string chunked = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string chunk(const std::string& text) {
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", text.size());
    return size + text + "\r\n";
}

Result<bool> follow(const std::string& stream, std::vector<std::string>& events) {
    ScriptedServer server({chunked + stream});
    ApiClient api(server.url(), "", "default");
    return api.follow("/logs", [&](const std::string& event, const Json& data) {
        events.push_back(event + data.dump());
        return event != "end";
    });
}

}  // namespace

TEST_CASE("a list is read page by page") {
    ScriptedServer server({http_answer(R"({"items": [1, 2], "next_cursor": "a b"})"),
                           http_answer(R"({"items": [3], "next_cursor": null})")});
    ApiClient api(server.url(), "", "default");
    auto items = api.all_items("/things");
    REQUIRE(items.has_value());
    CHECK(*items == Json{1, 2, 3});
    REQUIRE(server.asked().size() == 2);
    CHECK(server.asked()[1] == "GET /things?limit=100&cursor=a%20b HTTP/1.1");
}

TEST_CASE("a list without items is no list") {
    ScriptedServer server({http_answer("[]")});
    ApiClient api(server.url(), "", "default");
    CHECK_FALSE(api.all_items("/things").has_value());
}

TEST_CASE("a stream says whether the server ended it") {
    std::vector<std::string> events;
    auto by_us = follow(chunk(": following\n\ndata: {\"n\":1}\n\n") + chunk("event: end\ndata: {}\n\n"), events);
    REQUIRE(by_us.has_value());
    CHECK(*by_us);
    CHECK(events == std::vector<std::string>{R"({"n":1})", "end{}"});

    events.clear();
    auto by_server = follow(chunk("data: {\"n\":1}\n\n") + "0\r\n\r\n", events);
    REQUIRE(by_server.has_value());
    CHECK_FALSE(*by_server);
    CHECK(events.size() == 1);
}

TEST_CASE("an error in a stream is the stream's error") {
    std::vector<std::string> events;
    auto done = follow(chunk("event: error\ndata: {\"error\":\"Too much.\",\"code\":\"OVERLOADED\"}\n\n"), events);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == Errc::overloaded);
    CHECK(done.error().message == "Too much.");
    CHECK(events.empty());
}

TEST_CASE("a server that goes away in the middle of its answer is not reachable") {
    const std::string full = http_answer(R"({"a": "something that is long enough"})");
    for (const std::string& answer : {std::string(), full.substr(0, 20), full.substr(0, full.size() - 4)}) {
        INFO(answer);
        ScriptedServer server({answer});
        auto got = ApiClient(server.url(), "", "default").call("GET", "/x");
        REQUIRE_FALSE(got.has_value());
        CHECK(got.error().code == Errc::unavailable);
        CHECK(got.error().message.find("ended the connection") != std::string::npos);
        CHECK(got.error().message.find("Start one") == std::string::npos);
    }
    std::vector<std::string> events;
    auto stream = follow(chunk("data: {\"n\":1}\n\n"), events);
    REQUIRE_FALSE(stream.has_value());
    CHECK(stream.error().code == Errc::unavailable);
}

TEST_CASE("what does not speak HTTP is told from a server that goes away") {
    ScriptedServer server({"SSH-2.0-OpenSSH_9.2\r\n"});
    auto got = ApiClient(server.url(), "", "default").call("GET", "/x");
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == Errc::provider_error);
}

TEST_CASE("a text that JSON cannot carry is named and not sent") {
    ScriptedServer server({});
    ApiClient api(server.url(), "", "default");
    auto got = api.call("POST", "/x", Json{{"data", {{"k", {"fine", "\xff\xfe"}}}}});
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == Errc::validation_error);
    CHECK(got.error().message.find("data.k[1]") != std::string::npos);
    CHECK_FALSE(json_text(Json{{"\xff", 1}}).has_value());
    CHECK(*json_text(Json{{"k", "ü"}}) == R"({"k":"ü"})");
}
