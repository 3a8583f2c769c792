// SPDX-License-Identifier: Apache-2.0
// What a function printed, read in pages.

#include "api_world.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace hks;
using namespace hks::test;

namespace {

const std::string logs = ws + "/functions/hello/logs";

std::vector<std::string> messages(const json& page) {
    std::vector<std::string> out;
    for (const json& item : page["items"]) out.push_back(item["message"]);
    return out;
}

std::vector<std::string> numbers(int from, int to) {
    std::vector<std::string> out;
    for (int i = from; i <= to; ++i) out.push_back(std::to_string(i));
    return out;
}

}  // namespace

TEST_CASE("a limit gives the newest lines, and its cursor leads back to the oldest one") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    for (int i = 0; i < 25; ++i) world.write_log(std::to_string(i));
    std::vector<std::string> all;
    std::string cursor;
    size_t pages = 0;
    do {
        const json page = world.ask(exchange, "GET", logs + "?limit=10" + cursor);
        const auto lines = messages(page);
        CHECK(lines.size() <= 10);
        all.insert(all.begin(), lines.begin(), lines.end());
        cursor = page["next_cursor"].is_null() ? "" : "&cursor=" + page["next_cursor"].get<std::string>();
        REQUIRE(++pages < 5);
    } while (!cursor.empty());
    CHECK(pages == 3);
    CHECK(all == numbers(0, 24));
    CHECK(world.ask(exchange, "GET", logs + "?limit=25&level=info&cursor=b1")["items"].empty());
}

TEST_CASE("without a limit pages go from the oldest line on") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    for (int i = 0; i < 1005; ++i) world.write_log(std::to_string(i));
    const json first = world.ask(exchange, "GET", logs);
    CHECK(messages(first) == numbers(0, 999));
    const json second =
        world.ask(exchange, "GET", logs + "?cursor=" + first["next_cursor"].get<std::string>());
    CHECK(messages(second) == numbers(1000, 1004));
    CHECK(second["next_cursor"].is_null());
}

TEST_CASE("everything that is wrong with the query is told at once") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    const json answer = world.ask(
        exchange, "GET", logs + "?since=yesterday&version=x&follow=maybe&level=loud&limit=-1&cursor=b");
    REQUIRE(answer["code"] == "VALIDATION_ERROR");
    std::set<std::string> fields;
    for (const json& field : answer["details"]["fields"]) fields.insert(field["field"]);
    CHECK(fields == std::set<std::string>{"since", "version", "follow", "level", "limit", "cursor"});
    const json build = world.ask(exchange, "GET", ws + "/functions/hello/versions/1/logs?follow=maybe&limit=0");
    CHECK(build["details"]["fields"].size() == 2);
    const json both = world.ask(exchange, "GET", logs + "?follow=true&cursor=b7&until=1m");
    CHECK(both["details"]["fields"].size() == 2);
}

TEST_CASE("a function that took a deleted one's name does not show the last lines of that") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    FunctionLogRecord late;
    late.time = world.clock.wall();
    late.workspace = "default";
    late.function = "hello";
    late.function_id = world.ask(exchange, "GET", ws + "/functions/hello")["id"];
    late.message = "late line";
    world.ask(exchange, "DELETE", ws + "/functions/hello");
    REQUIRE(exchange.status == 204);
    world.make_function("hello");
    world.logs.write(late);
    CHECK(world.ask(exchange, "GET", logs)["items"].empty());
}
