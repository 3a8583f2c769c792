// SPDX-License-Identifier: Apache-2.0
// Idempotency keys, conditions, and the objects that writes and reads give.

#include "api_world.hpp"

#include <hks/core/base64.hpp>

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::test;

namespace {
const json trigger{{"type", "http"}, {"name", "two"}, {"config", {{"path", "/two"}}}};
}

TEST_CASE("the same Idempotency-Key gives the same answer and does it once") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    const json first =
        world.ask(exchange, "POST", ws + "/functions/hello/triggers", trigger, {{"idempotency-key", "k"}});
    REQUIRE(exchange.status == 201);
    const std::string head = exchange.head;
    CHECK(world.ask(exchange, "POST", ws + "/functions/hello/triggers", trigger,
                    {{"idempotency-key", "k"}}) == first);
    CHECK(exchange.status == 201);
    CHECK(exchange.head == head);
    CHECK(world.ask(exchange, "GET", ws + "/functions/hello/triggers")["items"].size() == 2);
}

TEST_CASE("a refusal is remembered under its Idempotency-Key as well") {
    FakeExchange exchange;
    ApiWorld world;
    world.ask(exchange, "POST", ws + "/functions/hello/triggers", trigger, {{"idempotency-key", "k"}});
    CHECK(exchange.status == 404);
    world.make_function("hello");
    world.ask(exchange, "POST", ws + "/functions/hello/triggers", trigger, {{"idempotency-key", "k"}});
    CHECK(exchange.status == 404);
}

TEST_CASE("an Idempotency-Key belongs to one body, one path and one token") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    world.ask(exchange, "POST", ws + "/functions/hello/triggers", trigger, {{"idempotency-key", "k"}});
    json other = trigger;
    other["name"] = "three";
    CHECK(world.ask(exchange, "POST", ws + "/functions/hello/triggers", other,
                    {{"idempotency-key", "k"}})["code"] == "CONFLICT");
    world.ask(exchange, "POST", ws + "/secrets", {{"name", "a"}, {"data", {{"k", "v"}}}},
              {{"idempotency-key", "k"}});
    CHECK(exchange.status == 201);
    auto headers = ApiWorld::bearer(world.token(auth::Role::developer));
    headers.emplace_back("idempotency-key", "k");
    CHECK(world.ask(exchange, "POST", ws + "/functions/hello/triggers", trigger, headers)["code"] !=
          "CONFLICT");
}

TEST_CASE("a token's value is not kept for its Idempotency-Key") {
    FakeExchange exchange;
    ApiWorld world;
    const json body{{"name", "ci"}, {"role", "viewer"}};
    const json made = world.ask(exchange, "POST", ws + "/tokens", body, {{"idempotency-key", "k"}});
    REQUIRE(exchange.status == 201);
    const json again = world.ask(exchange, "POST", ws + "/tokens", body, {{"idempotency-key", "k"}});
    CHECK(exchange.status == 409);
    CHECK(again.dump().find("hks_") == std::string::npos);
    CHECK(world.ask(exchange, "GET", ws + "/tokens").dump().find(made["token"].get<std::string>()) ==
          std::string::npos);
}

TEST_CASE("an Idempotency-Key that is no key is refused") {
    FakeExchange exchange;
    ApiWorld world;
    for (const std::string& key : {std::string(256, 'x'), std::string("a b"), std::string("\xc3\xa4")})
        CHECK(world.ask(exchange, "POST", ws + "/secrets", {}, {{"idempotency-key", key}})["code"] ==
              "VALIDATION_ERROR");
}

TEST_CASE("If-Match lets a write through only for what was read") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    const auto etag = [&] {
        world.ask(exchange, "GET", ws + "/functions/hello");
        const size_t at = exchange.head.find("ETag: ") + 6;
        return exchange.head.substr(at, exchange.head.find('\r', at) - at);
    };
    const std::string seen = etag();
    const json change{{"labels", {{"a", "b"}}}};
    world.ask(exchange, "PATCH", ws + "/functions/hello", change, {{"if-match", seen}});
    CHECK(exchange.status == 200);
    CHECK(etag() != seen);
    for (const std::string& match : {seen, std::string("\"0\""), std::string("0"), std::string("W/\"1\""),
                                     std::string("\"1\", \"2\"")}) {
        CHECK(world.ask(exchange, "DELETE", ws + "/functions/hello", {}, {{"if-match", match}})["code"] ==
              "PRECONDITION_FAILED");
        CHECK(exchange.status == 412);
    }
    world.ask(exchange, "DELETE", ws + "/functions/hello", {}, {{"if-match", "*"}});
    CHECK(exchange.status == 204);
}

TEST_CASE("every object that is read with an ETag is written under it") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    world.ask(exchange, "POST", ws + "/functions/hello/triggers", trigger);
    world.ask(exchange, "POST", ws + "/secrets", {{"name", "db"}, {"data", {{"url", "x"}}}});
    struct Row {
        std::string path;
        json body;
    };
    const Row rows[] = {
        {ws + "/functions/hello/triggers/two", {{"type", "http"}, {"config", {{"path", "/three"}}}}},
        {ws + "/secrets/db", {{"data", {{"url", "y"}}}}}};
    for (const Row& row : rows) {
        INFO(row.path);
        const auto etag = [&] {
            world.ask(exchange, "GET", row.path);
            const size_t at = exchange.head.find("ETag: ");
            REQUIRE(at != std::string::npos);
            return exchange.head.substr(at + 6, exchange.head.find('\r', at) - at - 6);
        };
        const std::string first = etag();
        for (const char* method : {"PUT", "DELETE"}) {
            CHECK(world.ask(exchange, method, row.path, row.body, {{"if-match", "\"999\""}})["code"] ==
                  "PRECONDITION_FAILED");
            CHECK(exchange.status == 412);
        }
        CHECK(etag() == first);
        world.ask(exchange, "PUT", row.path, row.body, {{"if-match", first}});
        CHECK(exchange.status == 200);
        const std::string second = etag();
        CHECK(second != first);
        world.ask(exchange, "PUT", row.path, row.body, {{"if-match", first}});
        CHECK(exchange.status == 412);
        world.ask(exchange, "DELETE", row.path, {}, {{"if-match", second}});
        CHECK(exchange.status == 204);
    }
    // Nothing to be made under a condition.
    for (const char* condition : {"\"1\"", "*"}) {
        world.ask(exchange, "PUT", ws + "/secrets/new", {{"data", {{"k", "v"}}}}, {{"if-match", condition}});
        CHECK(exchange.status == 412);
    }
    world.ask(exchange, "GET", ws + "/functions/hello/versions/1");
    CHECK(exchange.names("ETag"));
}

TEST_CASE("a condition that a write cannot look at is refused, not left out") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    const std::string token = world.token(auth::Role::viewer);
    const std::pair<const char*, std::string> writes[] = {{"POST", ws + "/secrets"},
                                                          {"POST", ws + "/functions/hello/triggers"},
                                                          {"POST", ws + "/tokens"},
                                                          {"DELETE", ws + "/tokens/t1"}};
    for (const auto& [method, path] : writes) {
        INFO(path);
        CHECK(world.ask(exchange, method, path, {}, {{"if-match", "\"1\""}})["code"] == "PRECONDITION_FAILED");
    }
    world.ask(exchange, "GET", ws + "/functions", {}, ApiWorld::bearer(token));
    CHECK(exchange.status == 200);
}

TEST_CASE("a manifest for another workspace is refused by every route that takes one") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    const auto form = [](const std::string& workspace) {
        return json("--xyz\r\nContent-Disposition: form-data; name=\"spec\"\r\n\r\n{apiVersion: hks.io/v1, kind: "
                    "Function, metadata: {name: hello, workspace: " +
                    workspace +
                    "}}\r\n--xyz\r\nContent-Disposition: form-data; name=\"archive\"; "
                    "filename=\"main.py\"\r\n\r\nx = 1\r\n--xyz--\r\n");
    };
    const Headers type{{"content-type", "multipart/form-data; boundary=xyz"}};
    const std::pair<const char*, std::string> writes[] = {{"POST", ws + "/functions"},
                                                          {"PUT", ws + "/functions/hello"},
                                                          {"POST", ws + "/functions/hello/versions"}};
    for (const auto& [method, path] : writes) {
        INFO(path);
        const json answer = world.ask(exchange, method, path, form("other"), type);
        REQUIRE(answer["code"] == "VALIDATION_ERROR");
        CHECK(answer["details"]["fields"][0]["field"] == "metadata.workspace");
    }
    world.ask(exchange, "POST", ws + "/functions/hello/versions", form("default"), type);
    CHECK(exchange.status == 201);
}

TEST_CASE("labels alone make no new version") {
    FakeExchange exchange;
    ApiWorld world;
    world.make_function("hello");
    const json changed = world.ask(exchange, "PATCH", ws + "/functions/hello", {{"labels", {{"a", "b"}}}});
    CHECK(changed["labels"] == json{{"a", "b"}});
    CHECK_FALSE(changed.contains("version"));
    CHECK(world.ask(exchange, "GET", ws + "/functions/hello/versions")["items"].size() == 1);
    CHECK(world.ask(exchange, "PATCH", ws + "/functions/hello", {{"labels", {{"a", nullptr}}}})["labels"] ==
          json::object());
}

TEST_CASE("lists come in pages") {
    FakeExchange exchange;
    ApiWorld world;
    for (const char* name : {"a", "b", "c"}) take(world.secrets.put("default", name, {{"k", "v"}}, false));
    const json first = world.ask(exchange, "GET", ws + "/secrets?limit=2");
    CHECK(first["items"].size() == 2);
    const json second =
        world.ask(exchange, "GET", ws + "/secrets?limit=2&cursor=" + first["next_cursor"].get<std::string>());
    CHECK(second["items"].size() == 1);
    CHECK(second["next_cursor"].is_null());
    for (const char* limit : {"0", "101", "-1", "x", ""})
        CHECK(world.ask(exchange, "GET", ws + "/secrets?limit=" + std::string(limit))["code"] ==
              "VALIDATION_ERROR");
}

TEST_CASE("the url of a function is that of its first enabled trigger, as the caller sees the server") {
    FakeExchange exchange;
    ApiWorld world;
    FunctionSpec spec;
    spec.triggers = {TriggerSpec{.name = "off", .enabled = false},
                     TriggerSpec{.name = "own", .path = "/users/{id}"}};
    world.make_function("hello", spec);
    CHECK(world.ask(exchange, "GET", ws + "/functions/hello")["url"] == "http://host:80/users/{id}");
    world.make_function("plain");
    CHECK(world.ask(exchange, "GET", ws + "/functions/plain")["url"] == "http://host:80/functions/plain");
}

TEST_CASE("a created function is built, and its build log ends with the version") {
    FakeExchange exchange, log;
    ApiWorld world;
    const json made = world.ask(exchange, "POST", ws + "/functions",
                                {{"name", "hello"},
                                 {"runtime", "python3.11"},
                                 {"filename", "main.py"},
                                 {"source_code", base64_encode("def handle(e): return 1\n")}});
    REQUIRE(exchange.status == 201);
    CHECK(made["version"]["status"] == "building");
    CHECK(exchange.has("Location: " + ws + "/functions/hello"));
    world.begin(log, "GET", ws + "/functions/hello/versions/1/logs?follow=true");
    REQUIRE(world.run_until([&] { return !world.backend.live.empty(); }));
    world.backend.at(0).become_ready();
    REQUIRE(world.run_until([&] { return log.finished; }));
    CHECK(log.has("Content-Type: text/event-stream"));
    const size_t end = log.body.find("event: end\ndata: ");
    REQUIRE(end != std::string::npos);
    CHECK(json::parse(log.body.substr(end + 17))["status"] == "success");
    CHECK(world.ask(exchange, "GET", ws + "/functions/hello")["status"] == "ready");
}

TEST_CASE("code of a version that is not built cannot be used again") {
    FakeExchange exchange;
    ApiWorld world;
    take(world.registry.create("default", "hello", {}));
    CHECK(world.ask(exchange, "POST", ws + "/functions/hello/versions", {{"memory", 256}})["code"] ==
          "CONFLICT");
}

TEST_CASE("a form without code and a name are both missed at once") {
    FakeExchange exchange;
    ApiWorld world;
    const json answer = world.ask(exchange, "POST", ws + "/functions", json::object());
    CHECK(answer["details"]["fields"].size() == 2);
}
