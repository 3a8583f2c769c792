// SPDX-License-Identifier: Apache-2.0
// Who gets in, what is refused before a body is read, and what is kept about it.

#include "api_world.hpp"

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::test;
using auth::Role;

TEST_CASE("without a token everything but the open routes is 401 before the body is read") {
    FakeExchange exchange;
    ApiWorld world;
    for (const char* target : {"/api/v1/workspaces/default/functions", "/metrics", "/api/v1/workspaces"}) {
        const json answer = world.ask(exchange, "GET", target, {}, {{"authorization", ""}});
        CHECK(exchange.status == 401);
        CHECK(answer["code"] == "AUTH_REQUIRED");
        CHECK(exchange.names("WWW-Authenticate"));
    }
    for (const char* target : {"/healthz", "/readyz", "/openapi.json", "/schema/function.json"}) {
        world.ask(exchange, "GET", target, {}, {{"authorization", ""}});
        CHECK(exchange.status == 200);
    }
}

TEST_CASE("metrics are open when the operator says so") {
    api::ApiOptions options;
    options.metrics_public = true;
    FakeExchange exchange;
    ApiWorld world(options);
    world.begin(exchange, "GET", "/metrics", {}, {{"authorization", ""}});
    CHECK(exchange.status == 200);
    CHECK(exchange.has("Content-Type: text/plain; version=0.0.4; charset=utf-8"));
}

TEST_CASE("a role that does not suffice is 403") {
    FakeExchange exchange;
    ApiWorld world;
    const std::string viewer = world.token(Role::viewer), invoker = world.token(Role::none, {"invoke"});
    CHECK(world.ask(exchange, "POST", ws + "/functions", {}, ApiWorld::bearer(viewer))["code"] ==
          "PERMISSION_DENIED");
    CHECK(world.ask(exchange, "GET", ws + "/functions", {}, ApiWorld::bearer(invoker))["code"] ==
          "PERMISSION_DENIED");
    CHECK(world.ask(exchange, "GET", ws + "/tokens", {}, ApiWorld::bearer(viewer))["code"] ==
          "PERMISSION_DENIED");
    world.ask(exchange, "GET", ws + "/functions", {}, ApiWorld::bearer(viewer));
    CHECK(exchange.status == 200);
}

TEST_CASE("a foreign workspace answers exactly like an absent one") {
    FakeExchange exchange;
    ApiWorld world;
    const std::string foreign = world.token(Role::admin, {}, "other");
    const json absent =
        world.ask(exchange, "GET", "/api/v1/workspaces/zzz/functions", {}, ApiWorld::bearer(foreign));
    CHECK(exchange.status == 404);
    json mine = world.ask(exchange, "GET", ws + "/functions", {}, ApiWorld::bearer(foreign));
    CHECK(exchange.status == 404);
    CHECK(mine["code"] == absent["code"]);
    CHECK(json::parse(exchange.body)["error"].get<std::string>().find("'default'") != std::string::npos);
}

TEST_CASE("a wrong method names the right ones") {
    FakeExchange exchange;
    ApiWorld world;
    CHECK(world.ask(exchange, "DELETE", ws + "/functions")["code"] == "METHOD_NOT_ALLOWED");
    CHECK(exchange.has("Allow: POST, GET, HEAD"));
}

TEST_CASE("code may be large, settings may not") {
    FakeExchange exchange;
    ApiWorld world;
    world.ask(exchange, "POST", ws + "/functions", "{}");
    CHECK(world.limit == 64u << 20);
    world.ask(exchange, "POST", ws + "/secrets", "{}");
    CHECK(world.limit == 1u << 20);
    world.ask(exchange, "POST", ws + "/functions/f/invoke", "{}");
    CHECK(world.limit > 8u << 20);
}

TEST_CASE("a token that is revoked while the body comes does not count any more") {
    FakeExchange exchange;
    ApiWorld world;
    const std::string token = world.token(Role::developer);
    exchange.prepare("POST", ws + "/functions", ApiWorld::bearer(token), "{}");
    world.api.on_head(exchange);
    REQUIRE(exchange.answers == 0);
    take(world.keys.revoke("t1", "default"));
    world.api.on_request(exchange);
    CHECK(exchange.status == 401);
}

TEST_CASE("readiness ends when the server drains") {
    FakeExchange exchange;
    ApiWorld world;
    CHECK(world.ask(exchange, "GET", "/readyz")["ready"] == true);
    world.api.set_draining();
    CHECK(world.ask(exchange, "GET", "/readyz")["ready"] == false);
    CHECK(exchange.status == 503);
}

TEST_CASE("a pool that takes nothing is 503 with a time to come back") {
    FakeExchange exchange;
    ApiWorld world;
    world.pool.stop();
    CHECK(world.ask(exchange, "GET", ws + "/functions")["code"] == "OVERLOADED");
    CHECK(exchange.status == 503);
    CHECK(exchange.has("Retry-After: 1"));
}

TEST_CASE("a write leaves an audit row: who, from where, what, with which end") {
    FakeExchange exchange;
    ApiWorld world;
    world.ask(exchange, "POST", ws + "/secrets", {{"name", "db"}, {"data", {{"url", "x"}}}});
    CHECK(exchange.status == 201);
    world.ask(exchange, "POST", ws + "/secrets", {{"name", "db"}, {"data", {{"url", "x"}}}});
    const auto rows = world.audited();
    REQUIRE(rows.size() == 2);
    CHECK(rows[1].who == "admin");
    CHECK(rows[1].from == "127.0.0.1");
    CHECK(rows[1].action == "secret.create");
    CHECK(rows[1].target == "db");
    CHECK(rows[1].status == 201);
    CHECK(rows[1].code.empty());
    CHECK(rows[0].status == 409);
    CHECK(rows[0].code == "ALREADY_EXISTS");
}

TEST_CASE("a write that is refused before its handler leaves an audit row too, a read does not") {
    FakeExchange exchange;
    ApiWorld world;
    world.ask(exchange, "GET", ws + "/functions", {}, {{"authorization", ""}});
    world.ask(exchange, "DELETE", ws + "/functions/hello", {}, {{"authorization", ""}});
    world.ask(exchange, "DELETE", ws + "/functions/hello", {}, ApiWorld::bearer(world.token(Role::viewer)));
    REQUIRE(world.run_until([&] { return world.audited().size() == 2; }));
    const auto rows = world.audited();
    CHECK(rows[1].who == "-");
    CHECK(rows[1].code == "AUTH_REQUIRED");
    CHECK(rows[1].target == "hello");
    CHECK(rows[0].who == "t1");
    CHECK(rows[0].code == "PERMISSION_DENIED");
}

TEST_CASE("refused writes that come too fast are counted instead of kept") {
    FakeExchange exchange;
    ApiWorld world;
    world.pool.stop();
    for (int i = 0; i < 300; ++i)
        world.ask(exchange, "DELETE", ws + "/functions/hello", {}, {{"authorization", ""}});
    CHECK(world.metrics.counter("hks_audit_dropped_total", "").value() == 300 - 256);
}
