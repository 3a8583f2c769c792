// SPDX-License-Identifier: Apache-2.0
#include <hks/core/function.hpp>

#include <catch2/catch.hpp>

using namespace hks;

TEST_CASE("trigger paths with literals, parameters and a last wildcard are fine") {
    const std::string path =
        GENERATE(as<std::string>{}, "/", "/hello", "/a/b/c", "/users/{id}", "/users/{id}/orders/{order_id}",
                 "/files/*", "/*", "/{anything}", "/API", "/apis", "/api2/x", "/x/api", "/functions-list",
                 "/a.b", "/~me", "/a:b@c;d=e,f", "/\xc3\xa4pfel", "/...", "/.well-known/x", "/schema.json");
    CHECK(check_trigger_path(path).has_value());
}

TEST_CASE("other trigger paths are refused") {
    const std::string path = GENERATE(
        as<std::string>{}, "", "hello", "/a/", "//", "//a", "/a//b", "/a/../b", "/..", "/.", "/a/./b", "/*/a",
        "/a*", "/a/*b", "/{id", "/id}", "/a{id}", "/{id}x", "/{}", "/{1a}", "/{a-b}", "/{a+}", "/{a}/{a}",
        "/a b", "/a%20b", "/a?b", "/a#b", "/a\\b", "/a\nb", "/a\x7f", "/\xff", "/" + std::string(1024, 'x'),
        "/{" + std::string(65, 'x') + "}", "*", "/**", std::string("/a\0b", 4));
    const auto result = check_trigger_path(path);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Errc::validation_error);
}

TEST_CASE("paths of the platform are refused, with and without a rest") {
    const std::string first = GENERATE(as<std::string>{}, "/api", "/functions", "/workspaces", "/healthz",
                                       "/readyz", "/metrics", "/openapi.json", "/schema", "/ui");
    CHECK_FALSE(check_trigger_path(first).has_value());
    CHECK_FALSE(check_trigger_path(first + "/rest").has_value());
    CHECK_FALSE(check_trigger_path(first + "/*").has_value());
}
