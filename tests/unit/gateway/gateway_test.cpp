// SPDX-License-Identifier: Apache-2.0
#include "gateway_world.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <thread>

using namespace hks;
using namespace hks::test;
using namespace std::chrono_literals;

TEST_CASE("a call goes to the function and its answer comes back with the platform's headers") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    REQUIRE(world.request(exchange, "POST", "/functions/hello/a", {{"x-in", "1"}}, "body"));
    const Call& call = world.running();
    CHECK(call.request.method == "POST");
    CHECK(call.request.path == "/a");
    CHECK(call.request.original_path == "/functions/hello/a");
    CHECK(call.request.body == "body");
    CHECK(call.request.source_ip == "127.0.0.1");
    CHECK(call.request.trigger == "http");
    REQUIRE(call.request.headers.size() == 1);
    const std::string id(call.id.text());
    world.clock.advance(1500us);
    world.instance().answer(0, 201, "x-out: 2\n", "made");
    CHECK(exchange.status == 201);
    CHECK(exchange.body == "made");
    CHECK(exchange.has("x-out: 2"));
    CHECK(exchange.has("X-Hks-Invocation-Id: " + id));
    CHECK(exchange.has("X-Hks-Version: 1"));
    CHECK(exchange.has("X-Hks-Cold-Start: true"));
    CHECK(exchange.has("Server-Timing: queue;dur=0, start;dur=0, run;dur=1.500"));
}

TEST_CASE("a connection's next call is not cold and has an id of its own") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    world.request(exchange, "GET", "/functions/hello");
    world.instance().answer();
    const std::string first = exchange.head;
    world.request(exchange, "GET", "/functions/hello");
    world.instance().answer();
    CHECK(exchange.has("X-Hks-Cold-Start: false"));
    CHECK(exchange.head != first);
}

TEST_CASE("refusals before a function is called") {
    GatewayWorld world;
    auto building = world.function("building", {http()});
    building->active = nullptr;
    building->versions.clear();
    world.publish({world.function("hello", {http("", {"GET", "POST"})}), building});
    struct Row {
        const char *method, *path;
        int status;
        const char* code;
    };
    const Row rows[] = {{"GET", "/functions/nobody", 404, "FUNCTION_NOT_FOUND"},
                        {"DELETE", "/functions/hello", 405, "METHOD_NOT_ALLOWED"},
                        {"GET", "/functions/building", 404, "FUNCTION_NOT_FOUND"},
                        {"GET", "/functions/hello@2", 404, "VERSION_NOT_FOUND"},
                        {"GET", "/functions/hello@staging", 404, "VERSION_NOT_FOUND"}};
    for (const Row& row : rows) {
        INFO(row.path);
        FakeExchange exchange;
        CHECK_FALSE(world.request(exchange, row.method, row.path));
        CHECK(world.meant);
        CHECK(exchange.status == row.status);
        CHECK(exchange.body.find(row.code) != std::string::npos);
        CHECK(exchange.has("Content-Type: application/json"));
        if (row.status == 405) CHECK(exchange.has("Allow: GET, HEAD, POST"));
    }
    FakeExchange exchange;
    CHECK_FALSE(world.request(exchange, "GET", "/elsewhere"));
    CHECK_FALSE(world.meant);
    CHECK(exchange.answers == 0);
}

TEST_CASE("the body's limit is the gateway's") {
    gateway::GatewayOptions options;
    options.max_body = 123;
    GatewayWorld world(options);
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    world.request(exchange, "GET", "/functions/hello");
    CHECK(world.body_limit == 123);
}

TEST_CASE("a trigger with auth token wants a token that may call") {
    GatewayWorld world;
    world.publish({world.function("hello", {http("", {}, TriggerAuth::token)})});
    const auto make = [&](const std::string& name, auth::Role role, std::vector<std::string> scopes,
                          const std::string& workspace) {
        return "Bearer " + take(world.keys.create(name, role, scopes, workspace, std::nullopt)).second;
    };
    FakeExchange exchange;
    CHECK_FALSE(world.request(exchange, "GET", "/functions/hello"));
    CHECK(exchange.status == 401);
    CHECK(exchange.has("WWW-Authenticate: Bearer"));
    CHECK_FALSE(world.request(exchange, "GET", "/functions/hello", {{"authorization", "Bearer hks_wrong"}}));
    CHECK(exchange.status == 401);
    const std::string viewer = make("viewer", auth::Role::viewer, {}, "default");
    CHECK_FALSE(world.request(exchange, "GET", "/functions/hello", {{"authorization", viewer}}));
    CHECK(exchange.status == 403);
    const std::string foreign = make("foreign", auth::Role::none, {"invoke"}, "team");
    CHECK_FALSE(world.request(exchange, "GET", "/functions/hello", {{"authorization", foreign}}));
    CHECK(exchange.status == 403);
    const std::string caller = make("caller", auth::Role::none, {"invoke"}, "default");
    REQUIRE(world.request(exchange, "GET", "/functions/hello", {{"x-a", "1"}, {"authorization", caller}}));
    const Call& call = world.running();
    REQUIRE(call.request.headers.size() == 1);
    CHECK(call.request.headers[0].name == "x-a");
    CHECK(call.request.authorizer.find("\"name\":\"caller\"") != std::string::npos);
    world.instance().answer();
    CHECK(exchange.status == 200);
}

TEST_CASE("the authorizer of one call does not stay for the next one of the connection") {
    GatewayWorld world;
    world.publish({world.function("hello", {http("", {"POST"}, TriggerAuth::token), http("", {"GET"})})});
    const std::string token =
        "Bearer " + take(world.keys.create("t", auth::Role::admin, {}, "", std::nullopt)).second;
    FakeExchange exchange;
    REQUIRE(world.request(exchange, "POST", "/functions/hello", {{"authorization", token}}));
    world.instance().answer();
    REQUIRE(world.request(exchange, "GET", "/functions/hello"));
    CHECK(world.running().request.authorizer.empty());
}

TEST_CASE("platform tokens never reach a public function, other credentials do") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    REQUIRE(world.request(
        exchange, "GET", "/functions/hello",
        {{"authorization", "Bearer hks_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, {"x-a", "1"}}));
    CHECK(world.running().request.headers.size() == 1);
    world.instance().answer();
    const std::string token = "hks_" + std::string(40, 'a') + "-_9";
    const std::pair<std::string, std::string> stripped[] = {
        {"authorization", token},
        {"authorization", "Token " + token},
        {"authorization", "bearer  " + token},
        {"authorization", "Key id=1, secret=\"" + token + "\""},
        {"x-api-key", token}};
    for (const auto& header : stripped) {
        INFO(header.second);
        REQUIRE(world.request(exchange, "GET", "/functions/hello", {header, {"x-a", "1"}}));
        CHECK(world.running().request.headers.size() == 1);
        world.instance().answer();
    }
    const std::pair<std::string, std::string> kept[] = {{"authorization", "Basic dTpw"},
                                                        {"authorization", "Bearer x" + token},
                                                        {"authorization", "Bearer a.b." + token + "9"},
                                                        {"x-api-key", "hks_of-the-function"}};
    for (const auto& header : kept) {
        INFO(header.second);
        REQUIRE(world.request(exchange, "GET", "/functions/hello", {header, {"x-a", "1"}}));
        CHECK(world.running().request.headers.size() == 2);
        world.instance().answer();
    }
}

TEST_CASE("a caller does not learn why a function cannot be started") {
    GatewayWorld world;
    auto entry = world.function("hello", {http()});
    auto version = std::make_shared<Version>(*entry->active);
    version->spec.secrets = {{"DB", "the-name", "url"}};
    entry->active = version;
    entry->versions[1] = version;
    world.publish({entry});
    FakeExchange exchange;
    world.request(exchange, "GET", "/functions/hello");
    world.clock.advance(10ms);
    for (int i = 0; i < 200 && exchange.answers == 0; ++i) {
        world.turn();
        std::this_thread::sleep_for(1ms);
    }
    REQUIRE(exchange.status == 502);
    CHECK(exchange.body.find("could not be started") != std::string::npos);
    CHECK(exchange.body.find("the-name") == std::string::npos);
}

TEST_CASE("HEAD is told how long the body would be, by the body or by the function") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    REQUIRE(world.request(exchange, "HEAD", "/functions/hello"));
    world.instance().answer(0, 200, "content-type: text/plain\nContent-Length: 1000\n", "");
    CHECK(exchange.has("Content-Length: 1000"));
    REQUIRE(world.request(exchange, "GET", "/functions/hello"));
    world.instance().answer(0, 200, "content-length: 1000\n", "");
    CHECK_FALSE(exchange.names("Content-Length"));
    CHECK_FALSE(exchange.names("content-length"));
    REQUIRE(world.request(exchange, "HEAD", "/functions/hello"));
    world.instance().answer(0, 200, "content-length: 7, 8\n", "");
    CHECK(exchange.has("Content-Length: 0"));
}

TEST_CASE("each method of a path goes to the function that takes it") {
    GatewayWorld world;
    world.publish({world.function("reads", {http("/x/{id}", {"GET"})}),
                   world.function("writes", {http("/x/{key}", {"POST"}), http("/x/all", {"DELETE"})})});
    FakeExchange exchange;
    REQUIRE(world.request(exchange, "POST", "/x/all"));
    CHECK(world.running().request.path_parameters[0].name == "key");
    world.instance().answer();
    CHECK_FALSE(world.request(exchange, "PUT", "/x/all"));
    CHECK(exchange.status == 405);
    CHECK(exchange.has("Allow: GET, HEAD, POST, DELETE"));
    CHECK(exchange.body.find("does not take PUT") != std::string::npos);
}

TEST_CASE("path parameters, query and traceparent arrive") {
    GatewayWorld world;
    world.publish({world.function("users", {http("/users/{id}/posts/{post}")})});
    FakeExchange exchange;
    exchange.prepare("GET", "/users/a b/posts/3", {{"traceparent", "00-abc"}});
    exchange.edit().raw_path = "/users/a%20b/posts/3";
    exchange.edit().query = "x=1";
    bool answered = false;
    REQUIRE(world.gateway.on_head(exchange, world.body_limit, answered));
    world.gateway.on_request(exchange);
    const CallRequest& request = world.running().request;
    CHECK(request.path == "/users/a b/posts/3");
    CHECK(request.original_path == "/users/a%20b/posts/3");
    CHECK(request.query == "x=1");
    CHECK(request.traceparent == "00-abc");
    REQUIRE(request.path_parameters.size() == 2);
    CHECK(request.path_parameters[0].name == "id");
    CHECK(request.path_parameters[0].value == "a b");
    CHECK(request.path_parameters[1].value == "3");
    world.instance().answer();
}

TEST_CASE("a version is called by its number") {
    GatewayWorld world;
    auto entry = world.function("hello", {http()}, "default", 2);
    auto old = std::make_shared<Version>(*entry->active);
    old->key = 99;
    old->number = 1;
    entry->versions[1] = old;
    world.publish({entry});
    FakeExchange exchange;
    REQUIRE(world.request(exchange, "GET", "/functions/hello@1/x"));
    CHECK(world.running().request.path == "/x");
    CHECK(world.backend.live.back()->launch_spec.version->number == 1);
    world.instance().answer();
    CHECK(exchange.has("X-Hks-Version: 1"));
    REQUIRE(world.request(exchange, "GET", "/functions/hello"));
    world.instance().answer();
    CHECK(exchange.has("X-Hks-Version: 2"));
}

TEST_CASE("after a deploy new calls go to the new version and the one inside finishes on the old one") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()}, "default", 1)});
    FakeExchange a, b;
    REQUIRE(world.request(a, "GET", "/functions/hello"));
    FakeInstance& old = world.instance();
    auto next = world.function("hello", {http()}, "default", 2);
    next->versions[1] = old.launch_spec.version;
    world.publish({next});
    REQUIRE(world.request(b, "GET", "/functions/hello"));
    world.instance().answer();
    CHECK(b.has("X-Hks-Version: 2"));
    old.answer();
    CHECK(a.status == 200);
    CHECK(a.has("X-Hks-Version: 1"));
    CHECK(old.draining);
}

TEST_CASE("a deleted function is 404 from the next request on") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    REQUIRE(world.request(exchange, "GET", "/functions/hello"));
    world.publish({});
    CHECK(exchange.status == 404);
    CHECK_FALSE(world.request(exchange, "GET", "/functions/hello"));
    CHECK(exchange.status == 404);
}

TEST_CASE("an answer that is no answer is 502, and the connection goes on") {
    struct Row {
        int status;
        const char* headers;
    };
    const Row rows[] = {{200, "x: a\r\nset-cookie: b\n"},
                        {200, "x y: 1\n"},
                        {101, ""},
                        {100, ""},
                        {600, ""},
                        {-1, ""},
                        {0, ""}};
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    for (const Row& row : rows) {
        REQUIRE(world.request(exchange, "GET", "/functions/hello"));
        world.instance().answer(0, row.status, row.headers, "body");
        CHECK(exchange.status == 502);
        CHECK(exchange.body.find("INVOCATION_FAILED") != std::string::npos);
        CHECK(exchange.names("X-Hks-Invocation-Id"));
        CHECK_FALSE(exchange.names("x"));
    }
    REQUIRE(world.request(exchange, "GET", "/functions/hello"));
    world.instance().answer();
    CHECK(exchange.status == 200);
}

TEST_CASE("the body of 204 and 304 is dropped") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    for (int status : {204, 304}) {
        REQUIRE(world.request(exchange, "GET", "/functions/hello"));
        world.instance().answer(0, status, "", "body");
        CHECK(exchange.status == status);
        CHECK(exchange.body.empty());
    }
}

TEST_CASE("an answer over the limit is 502 and says what to do") {
    gateway::GatewayOptions options;
    options.max_response = 1024;
    GatewayWorld world(options);
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    REQUIRE(world.request(exchange, "GET", "/functions/hello"));
    world.instance().answer(0, 200, "", std::string(1025, 'x'));
    CHECK(exchange.status == 502);
    CHECK(exchange.body.find("stream it") != std::string::npos);
}

TEST_CASE("what a handler threw stays inside, but for its type") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    REQUIRE(world.request(exchange, "GET", "/functions/hello"));
    world.instance().throw_error("ValueError", "password is hunter2");
    CHECK(exchange.status == 500);
    CHECK(exchange.body.find("\"code\":\"INVOCATION_FAILED\"") != std::string::npos);
    CHECK(exchange.body.find("\"type\":\"ValueError\"") != std::string::npos);
    CHECK(exchange.body.find("hunter2") == std::string::npos);
    CHECK(exchange.body.find("stack") == std::string::npos);
    CHECK(exchange.names("X-Hks-Invocation-Id"));
}

TEST_CASE("overload is told with Retry-After in seconds") {
    GatewayWorld world;
    auto entry = world.function("hello", {http()});
    auto version = std::make_shared<Version>(*entry->active);
    version->spec.scaling.queue_size = 1;
    entry->active = version;
    entry->versions[1] = version;
    world.publish({entry});
    FakeExchange first;
    std::array<FakeExchange, 10> more;
    REQUIRE(world.request(first, "GET", "/functions/hello"));
    for (FakeExchange& exchange : more) world.request(exchange, "GET", "/functions/hello");
    CHECK(more.back().status == 429);
    CHECK(more.back().has("Retry-After: 1"));
    world.instance().answer();
    CHECK(first.status == 200);
}

TEST_CASE("a streamed answer streams") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    REQUIRE(world.request(exchange, "GET", "/functions/hello"));
    FakeInstance& instance = world.instance();
    instance.begin_stream("one");
    CHECK(exchange.began);
    CHECK(exchange.names("X-Hks-Invocation-Id"));
    instance.chunk("two", false);
    CHECK_FALSE(exchange.finished);
    instance.chunk("three", true);
    CHECK(exchange.finished);
    CHECK(exchange.body == "onetwothree");
    CHECK(instance.credit == 6);
}

TEST_CASE("a client that does not read stops the stream, and lets it go on when it reads") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    REQUIRE(world.request(exchange, "GET", "/functions/hello"));
    FakeInstance& instance = world.instance();
    instance.begin_stream("");
    const std::string part(100 * 1024, 'x');
    for (int i = 0; i < 4; ++i) instance.chunk(part, false);
    CHECK(instance.credit == 2 * part.size());
    exchange.drain();
    CHECK(instance.credit == 4 * part.size());
    instance.chunk("", true);
    exchange.drain();
    CHECK(instance.credit == 4 * part.size());
    CHECK(exchange.finished);
}

TEST_CASE("a stream that breaks is cut off so that the client can see it") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    REQUIRE(world.request(exchange, "GET", "/functions/hello"));
    world.instance().begin_stream("one");
    world.backend.live.back()->die(1);
    CHECK(exchange.aborted);
    CHECK_FALSE(exchange.finished);
}

TEST_CASE("a client that goes away cancels its call") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    auto exchange = std::make_unique<FakeExchange>();
    REQUIRE(world.request(*exchange, "GET", "/functions/hello"));
    FakeInstance& instance = world.instance();
    exchange->close();
    CHECK(instance.cancels == 1);
    exchange.reset();
    instance.answer();
    FakeExchange next;
    REQUIRE(world.request(next, "GET", "/functions/hello"));
    world.instance().answer();
    CHECK(next.status == 200);
}

TEST_CASE("a connection that is destroyed with a call inside cancels it") {
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    auto exchange = std::make_unique<FakeExchange>();
    REQUIRE(world.request(*exchange, "GET", "/functions/hello"));
    FakeInstance& instance = world.instance();
    exchange.reset();
    CHECK(instance.cancels == 1);
    instance.answer();
}

TEST_CASE("a connection that was used for something else before is used for a call") {
    struct Other final : net::HttpExchange::State {};
    GatewayWorld world;
    world.publish({world.function("hello", {http()})});
    FakeExchange exchange;
    exchange.state = std::make_unique<Other>();
    REQUIRE(world.request(exchange, "GET", "/functions/hello"));
    world.instance().answer();
    CHECK(exchange.status == 200);
}

TEST_CASE("secrets and variables reach the instance") {
    GatewayWorld world;
    take(world.secrets.open(std::string(32, 'k')));
    take(world.secrets.put("default", "db", {{"url", "postgres://"}}, false));
    auto entry = world.function("hello", {http()});
    auto version = std::make_shared<Version>(*entry->active);
    version->spec.variables["A"] = "1";
    version->spec.secrets.push_back({"DB_URL", "db", "url"});
    entry->active = version;
    entry->versions[1] = version;
    world.publish({entry});
    FakeExchange exchange;
    REQUIRE(world.request(exchange, "GET", "/functions/hello"));
    const auto& environment = world.backend.live.at(0)->launch_spec.environment;
    REQUIRE(environment.size() == 2);
    CHECK(environment[0] == std::pair<std::string, std::string>("A", "1"));
    CHECK(environment[1] == std::pair<std::string, std::string>("DB_URL", "postgres://"));
}
