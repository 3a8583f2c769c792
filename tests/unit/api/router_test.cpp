// SPDX-License-Identifier: Apache-2.0
#include "api/router.hpp"

#include "api/route_table.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace hks;
using namespace hks::api;

namespace {
constexpr std::string_view ws = "/api/v1/workspaces/default";
RouteMatch match(std::string_view method, std::string_view rest) {
    return find_route(routes(), method, std::string(ws) + std::string(rest));
}
}  // namespace

TEST_CASE("router finds a row and its parameters") {
    const auto found = match("PUT", "/functions/hello/versions/3/active");
    REQUIRE(found.route);
    CHECK(found.route->id == "version.activate");
    CHECK(found.parameters.at("ws") == "default");
    CHECK(found.parameters.at("f") == "hello");
    CHECK(found.parameters.at("v") == "3");
}

TEST_CASE("router answers HEAD with GET's row") {
    CHECK(match("HEAD", "/functions").route->id == "function.list");
}

TEST_CASE("router tells the methods of a path when only the method is wrong") {
    const auto found = match("DELETE", "/functions");
    CHECK(found.route == nullptr);
    CHECK(found.allow == "POST, GET, HEAD");
}

TEST_CASE("router knows no path that is longer, shorter or empty in between") {
    for (const char* rest :
         {"/functions/", "/functions/f/", "/functions/f/x", "/functions//versions", "/function", ""}) {
        const auto found = match("GET", rest);
        CHECK(found.route == nullptr);
        CHECK(found.allow.empty());
    }
    CHECK(find_route(routes(), "GET", "").route == nullptr);
    CHECK(find_route(routes(), "GET", "healthz").route == nullptr);
    CHECK(find_route(routes(), "GET", "/HEALTHZ").route == nullptr);
}

TEST_CASE("every route has a handler that fits its kind") {
    for (const Route& route : routes()) {
        INFO(route.id);
        CHECK((route.kind == Kind::stream ? route.stream != nullptr : route.handler != nullptr));
        CHECK((route.body == BodyKind::none) == route.request.empty());
    }
}

TEST_CASE("route ids are unique and so are method and path") {
    std::set<std::string> seen;
    for (const Route& route : routes()) {
        CHECK(seen.insert(std::string(route.id)).second);
        CHECK(seen.insert(std::string(route.method) + " " + std::string(route.pattern)).second);
    }
}

TEST_CASE("exactly health, readiness, openapi and schema are open") {
    std::set<std::string_view> open;
    for (const Route& route : routes())
        if (route.open) open.insert(route.pattern);
    CHECK(open ==
          std::set<std::string_view>{"/healthz", "/readyz", "/openapi.json", "/schema/function.json"});
}

TEST_CASE("every route that changes something is audited and asks for more than reading") {
    for (const Route& route : routes()) {
        INFO(route.id);
        const bool writes = route.method != "GET" && route.id != "function.invoke";
        CHECK(route.audited == writes);
        if (writes)
            CHECK((route.action == auth::Action::write || route.action == auth::Action::manage_tokens));
    }
}

TEST_CASE("query parameters are decoded") {
    const auto query = read_query("since=1h&level=a%2Fb+c&x", "since level x");
    REQUIRE(query.has_value());
    CHECK(query->at("since") == "1h");
    CHECK(query->at("level") == "a/b c");
    CHECK(query->at("x").empty());
}

TEST_CASE("unknown, repeated and broken query parameters are all named") {
    const auto query =
        read_query("folow=true&limit=1&limit=2&x=%zz&y=%ff&cursor=%00", "limit follow cursor x y");
    REQUIRE_FALSE(query.has_value());
    CHECK(query.error().code == Errc::validation_error);
    REQUIRE(query.error().fields.size() == 5);
    CHECK(query.error().fields[0].field == "folow");
    CHECK(query.error().fields[1].field == "limit");
}

TEST_CASE("an unknown route says where the right ones are") {
    CHECK(no_such_route("GET", "/api/functions").message.find("/api/v1") != std::string::npos);
    CHECK(no_such_route("GET", "/hello").message.find("/functions/{name}") != std::string::npos);
    CHECK(no_such_route("GET", "/hello").code == Errc::not_found);
}
