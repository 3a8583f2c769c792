// SPDX-License-Identifier: Apache-2.0
#include "api/invoke_body.hpp"

#include <hks/core/base64.hpp>

#include <nlohmann/json.hpp>

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::api;
using nlohmann::json;

namespace {
Result<InvokeBody> read(const json& body, size_t limit = 1000) {
    return read_invoke_body("application/json", body.dump(), limit);
}
}  // namespace

TEST_CASE("an empty invoke body is POST / without a body") {
    const auto body = read_invoke_body("", "", 10);
    REQUIRE(body.has_value());
    CHECK(body->method == "POST");
    CHECK(body->path == "/");
    CHECK(body->body.empty());
    CHECK(body->version == 0);
}

TEST_CASE("query and headers are written as they would come over the wire") {
    const auto body =
        read({{"query", {{"a b", {"1", "ä&="}}}}, {"headers", {{"X-One", "1"}, {"x-two", {"2", "3"}}}}});
    REQUIRE(body.has_value());
    CHECK(body->query == "a%20b=1&a%20b=%C3%A4%26%3D");
    using Pair = std::pair<std::string, std::string>;
    CHECK(body->headers == std::vector<Pair>{{"x-one", "1"}, {"x-two", "2"}, {"x-two", "3"}});
}

TEST_CASE("hop-by-hop headers and platform tokens do not reach the function") {
    const auto body = read({{"headers",
                             {{"Connection", "close"},
                              {"Transfer-Encoding", "chunked"},
                              {"X-Api-Key", "hks_" + std::string(43, 'x')},
                              {"Authorization", {"Bearer hks_x", "Token hks_x", "Basic y"}}}}});
    REQUIRE(body.has_value());
    REQUIRE(body->headers.size() == 1);
    CHECK(body->headers[0].second == "Basic y");
}

TEST_CASE("an invoke that could not have come over the wire is refused") {
    CHECK_FALSE(read({{"method", "BREW"}}).has_value());
    CHECK_FALSE(read({{"path", "no-slash"}}).has_value());
    CHECK_FALSE(read({{"path", "/a?b=c"}}).has_value());
    CHECK_FALSE(read({{"path", "/a\r\nb"}}).has_value());
    CHECK_FALSE(read({{"headers", {{"a b", "1"}}}}).has_value());
    CHECK_FALSE(read({{"headers", {{"under_score", "1"}}}}).has_value());
    CHECK_FALSE(read({{"headers", {{"x", "1\r\ny: 2"}}}}).has_value());
    CHECK_FALSE(read({{"body", "***"}}).has_value());
    CHECK_FALSE(read({{"version", 0}}).has_value());
    CHECK_FALSE(read({{"unknown", 0}}).has_value());
}

TEST_CASE("an invoke body over the limit is too large, not wrong") {
    const auto body = read({{"body", base64_encode(std::string(1001, 'x'))}});
    REQUIRE_FALSE(body.has_value());
    CHECK(body.error().code == Errc::payload_too_large);
    CHECK(read({{"body", base64_encode(std::string(1000, 'x'))}}).has_value());
}

TEST_CASE("more headers than the edge would take are refused") {
    json headers = json::object();
    for (int i = 0; i < 101; ++i) headers["x-" + std::to_string(i)] = "1";
    CHECK_FALSE(read({{"headers", headers}}).has_value());
}
