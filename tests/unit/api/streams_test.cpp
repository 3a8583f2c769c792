// SPDX-License-Identifier: Apache-2.0
// Followed logs and invocations: exchanges that live longer than their handler.

#include "api_world.hpp"

#include <hks/core/base64.hpp>

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::test;

namespace {

/// Messages of the events in a stream, in order.
std::vector<std::string> messages(const FakeExchange& exchange) {
    std::vector<std::string> out;
    for (size_t at = exchange.body.find("data: "); at != std::string::npos;
         at = exchange.body.find("data: ", at + 1))
        out.push_back(
            json::parse(exchange.body.substr(at + 6, exchange.body.find('\n', at) - at - 6))["message"]);
    return out;
}

std::vector<std::string> numbers(int from, int to) {
    std::vector<std::string> out;
    for (int i = from; i <= to; ++i) out.push_back(std::to_string(i));
    return out;
}

const std::string follow = ws + "/functions/hello/logs?follow=true";

}  // namespace

TEST_CASE("a follower gets what is kept and then what comes, once and in order") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    for (int i = 0; i < 10; ++i) world.write_log(std::to_string(i));
    world.begin(exchange, "GET", follow);
    for (int i = 10; i < 20; ++i) world.write_log(std::to_string(i));
    REQUIRE(world.run_until([&] { return messages(exchange).size() >= 20; }));
    for (int i = 20; i < 30; ++i) world.write_log(std::to_string(i));
    REQUIRE(world.run_until([&] { return messages(exchange).size() >= 30; }));
    CHECK(messages(exchange) == numbers(0, 29));
}

TEST_CASE("more lines than fit while catching up are read again, not lost") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    world.begin(exchange, "GET", follow);
    for (int i = 0; i < 2500; ++i) world.write_log(std::to_string(i));
    REQUIRE(world.run_until([&] {
        if (exchange.unread > 0) exchange.drain();
        return messages(exchange).size() >= 2500;
    }));
    CHECK(messages(exchange) == numbers(0, 2499));
}

TEST_CASE("a slow client gets every line once it reads again") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    world.begin(exchange, "GET", follow + "&limit=0");
    const std::string pad(50'000, 'x');
    for (int i = 0; i < 50; ++i) world.write_log(pad + std::to_string(i));
    CHECK(messages(exchange).size() < 10);
    REQUIRE(world.run_until([&] {
        if (exchange.unread > 0) exchange.drain();
        return messages(exchange).size() >= 50;
    }));
    const auto all = messages(exchange);
    for (int i = 0; i < 50; ++i)
        CHECK(all[static_cast<size_t>(i)] == pad + std::to_string(i));
}

TEST_CASE("a follower may ask for the newest lines, a level, and to go on from its last event") {
    FakeExchange newest, errors, resumed;
    ApiWorld world;
    world.make_function("hello");
    for (int i = 0; i < 5; ++i) world.write_log(std::to_string(i), i == 2 ? LogLevel::error : LogLevel::info);
    world.begin(newest, "GET", follow + "&limit=2");
    world.begin(errors, "GET", follow + "&level=error");
    REQUIRE(world.run_until([&] { return messages(newest).size() == 2 && messages(errors).size() == 1; }));
    CHECK(messages(newest) == numbers(3, 4));
    const size_t id = newest.body.find("id: ") + 4;
    world.begin(resumed, "GET", follow, {},
                {{"last-event-id", newest.body.substr(id, newest.body.find('\n', id) - id)}});
    REQUIRE(world.run_until([&] { return !messages(resumed).empty(); }));
    CHECK(messages(resumed) == numbers(4, 4));
}

TEST_CASE("a follower whose client is gone hears nothing more and gives the exchange back") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    world.begin(exchange, "GET", follow);
    exchange.close();
    CHECK(exchange.answers == 1);
    world.write_log("late");
    world.loop.restart();
    world.loop.poll();
    CHECK(messages(exchange).empty());
}

TEST_CASE("a silent stream beats, and ends when its function is deleted") {
    api::ApiOptions options;
    options.heartbeat = milliseconds(20);
    FakeExchange exchange;
    ApiWorld world(options);
    world.make_function("hello");
    world.begin(exchange, "GET", follow);
    REQUIRE(world.run_until([&] { return exchange.body.find(": still here") != std::string::npos; }));
    take(world.registry.remove("default", "hello"));
    CHECK(world.run_until([&] { return exchange.finished; }));
}

TEST_CASE("a follower of a deleted function is told and ended at once, also when its name is used again") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    world.begin(exchange, "GET", follow);
    take(world.registry.remove("default", "hello"));
    world.make_function("hello");
    REQUIRE(world.run_until([&] { return exchange.finished; }));
    CHECK(exchange.body.find("event: error\ndata: {\"error\"") != std::string::npos);
    CHECK(exchange.body.find("FUNCTION_NOT_FOUND") != std::string::npos);
}

TEST_CASE("a follower whose token is revoked gets nothing more") {
    FakeExchange exchange, revoke, other;
    ApiWorld world;
    world.make_function("hello");
    const std::string token = world.token(auth::Role::viewer);
    world.begin(exchange, "GET", follow, {}, ApiWorld::bearer(token));
    world.begin(other, "GET", follow);
    world.ask(revoke, "DELETE", ws + "/tokens/t1");
    CHECK(revoke.status == 204);
    REQUIRE(world.run_until([&] { return exchange.finished; }));
    CHECK(exchange.body.find("AUTH_INVALID_TOKEN") != std::string::npos);
    world.write_log("secret");
    REQUIRE(world.run_until([&] { return messages(other).size() == 1; }));
    CHECK(exchange.body.find("secret") == std::string::npos);
}

TEST_CASE("a follower whose token expires is ended by the next beat") {
    api::ApiOptions options;
    options.heartbeat = milliseconds(20);
    FakeExchange exchange;
    ApiWorld world(options);
    world.make_function("hello");
    const auto token = take(
        world.keys.create("short", auth::Role::viewer, {}, "default", milliseconds(100))).second;
    world.begin(exchange, "GET", follow, {}, ApiWorld::bearer(token));
    CHECK(world.run_until([&] { return exchange.finished; }));
}

TEST_CASE("stopping ends the streams") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    world.begin(exchange, "GET", follow);
    world.api.stop();
    CHECK(exchange.finished);
}

TEST_CASE("a follower for which the pool has no room ends with an error event") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    world.pool.stop();
    world.begin(exchange, "GET", follow);
    CHECK(exchange.finished);
    CHECK(exchange.body.find("event: error\ndata: {\"error\"") != std::string::npos);
}

namespace {

/// A world with a function and an invocation that has reached its instance.
struct Invocation {
    explicit Invocation(api::ApiOptions options = {}, const json& body = json::object(),
                        const FunctionSpec& spec = {})
        : world(options) {
        world.make_function("hello", spec);
        world.begin(exchange, "POST", ws + "/functions/hello/invoke", body);
        REQUIRE(world.run_until([&] { return !world.backend.live.empty(); }));
        world.backend.at(0).become_ready();
        REQUIRE(world.run_until([&] { return !instance().sent.empty(); }));
    }
    FakeInstance& instance() { return world.backend.at(0); }
    json answer() {
        REQUIRE(world.run_until([&] { return exchange.answers > 0; }));
        return json::parse(exchange.body);
    }
    FakeExchange exchange;
    ApiWorld world;
};

}  // namespace

TEST_CASE("an invocation is told with everything there is to know") {
    Invocation call({}, {{"method", "GET"}, {"path", "/x"}, {"body", base64_encode("in")}});
    const Call& seen = *call.instance().sent.front();
    CHECK(seen.request.method == "GET");
    CHECK(seen.request.path == "/x");
    CHECK(seen.request.body == "in");
    CHECK(seen.request.authorizer == R"({"principalId":"admin"})");
    call.instance().answer(0, 418, "content-type: text/plain\nX-A: 1\nx-a: 2\n", "out");
    const json answer = call.answer();
    CHECK(call.exchange.status == 200);
    CHECK(answer["status_code"] == 418);
    CHECK(answer["headers"]["x-a"] == json{"1", "2"});
    CHECK(answer["body"] == base64_encode("out"));
    CHECK(answer["cold_start"] == true);
    CHECK(answer["version"] == 1);
    CHECK_FALSE(answer.contains("error"));
}

TEST_CASE("a streamed answer is collected") {
    Invocation call;
    call.instance().begin_stream("a");
    call.instance().chunk("b", false);
    call.instance().chunk("c", true);
    CHECK(call.answer()["body"] == base64_encode("abc"));
    CHECK(call.instance().credit == 2);
}

TEST_CASE("an answer beyond the limit is cut off and cancelled") {
    api::ApiOptions options;
    options.max_response = 10;
    Invocation call(options);
    call.instance().begin_stream("12345");
    call.instance().chunk("123456", false);
    const json answer = call.answer();
    CHECK(call.exchange.status == 200);
    CHECK(answer["status_code"] == 502);
    CHECK(answer["error"]["type"] == "AnswerTooLarge");
    CHECK(answer["error"]["message"].get<std::string>().find("limits.response") != std::string::npos);
    CHECK(call.instance().cancels == 1);
}

TEST_CASE("what a handler throws is told with its stack") {
    Invocation call;
    call.instance().throw_error("ValueError", "boom");
    const json answer = call.answer();
    CHECK(call.exchange.status == 200);
    CHECK(answer["status_code"] == 500);
    CHECK(answer["error"] == json{{"type", "ValueError"}, {"message", "boom"}, {"stack", "stack of boom"}});
}

TEST_CASE("a worker that dies is 502 within the answer") {
    Invocation call;
    call.instance().die(1);
    const json answer = call.answer();
    CHECK(call.exchange.status == 200);
    CHECK(answer["status_code"] == 502);
    CHECK(answer["error"]["type"] == "WorkerFailed");
}

TEST_CASE("a handler that takes too long is 504 within the answer, which says how long and where") {
    FunctionSpec spec;
    spec.resources.timeout = milliseconds(50);
    Invocation call({}, json::object(), spec);
    const std::string id(call.instance().sent.front()->id.text());
    const json answer = call.answer();
    CHECK(call.exchange.status == 200);
    CHECK(answer["status_code"] == 504);
    CHECK(answer["error"]["type"] == "Timeout");
    CHECK(answer["error"]["message"].get<std::string>().find("50ms") != std::string::npos);
    CHECK(answer["duration_ms"].get<double>() >= 45);
    CHECK(answer["invocation_id"] == id);
    CHECK(answer["version"] == 1);
    CHECK(json::parse(*base64_decode(answer["body"].get<std::string>()))["code"] == "INVOCATION_TIMEOUT");
}

TEST_CASE("a call that never left the queue is refused, not answered for the function") {
    FakeExchange exchange;
    ApiWorld world;
    FunctionSpec spec;
    spec.resources.queue_timeout = milliseconds(50);
    world.make_function("hello", spec);
    world.begin(exchange, "POST", ws + "/functions/hello/invoke");
    REQUIRE(world.run_until([&] { return exchange.answers > 0; }));
    CHECK(exchange.status >= 500);
    CHECK(json::parse(exchange.body).contains("code"));
    CHECK(exchange.names("X-Hks-Invocation-Id"));
}

TEST_CASE("a caller who goes away cancels the call and gives the exchange back") {
    Invocation call;
    call.exchange.close();
    CHECK(call.exchange.answers == 1);
    CHECK(call.instance().cancels == 1);
}

TEST_CASE("a function without a ready version cannot be invoked") {
    FakeExchange exchange;
    ApiWorld world;
    take(world.registry.create("default", "hello", {}));
    CHECK(world.ask(exchange, "POST", ws + "/functions/hello/invoke")["code"] == "VERSION_NOT_FOUND");
    CHECK(world.ask(exchange, "POST", ws + "/functions/none/invoke")["code"] == "FUNCTION_NOT_FOUND");
}

TEST_CASE("large bodies of an invocation go through the pool, both ways") {
    const std::string large(200'000, 'z');
    Invocation call({}, {{"body", base64_encode(large)}});
    CHECK(call.instance().sent.front()->request.body == large);
    call.instance().answer(0, 200, "", large);
    CHECK(call.answer()["body"] == base64_encode(large));
}
