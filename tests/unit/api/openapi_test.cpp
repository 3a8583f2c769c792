// SPDX-License-Identifier: Apache-2.0
#include "api/route_table.hpp"
#include "api/schemas.hpp"

#include <hks/api/management_api.hpp>

#include <nlohmann/json.hpp>

#include <catch2/catch.hpp>

using namespace hks::api;
using nlohmann::json;

namespace {

const json& document() {
    static const json value = json::parse(openapi_text());
    return value;
}

void check_references(const json& value) {
    if (value.is_object() && value.contains("$ref")) {
        const auto target = value["$ref"].get<std::string>();
        INFO(target);
        REQUIRE(target.starts_with("#/"));
        CHECK(document().contains(json::json_pointer(target.substr(1))));
    }
    if (value.is_object() || value.is_array())
        for (const json& member : value) check_references(member);
}

}  // namespace

TEST_CASE("openapi has an operation for every route") {
    for (const Route& route : routes()) {
        std::string method(route.method);
        for (char& c : method) c = static_cast<char>(std::tolower(c));
        INFO(route.id);
        const json& path = document()["paths"].at(std::string(route.pattern));
        REQUIRE(path.contains(method));
        CHECK(path[method]["operationId"] == route.id);
        CHECK(path[method]["responses"].contains(std::to_string(route.status)));
        CHECK(path[method]["responses"].contains("default"));
    }
}

TEST_CASE("openapi is 3.1 with servers and security as lists") {
    CHECK(document()["openapi"] == "3.1.0");
    CHECK(document()["servers"] == json::parse(R"([{"url": "/"}])"));
    CHECK(document()["security"] == json::parse(R"([{"token": []}])"));
}

TEST_CASE("openapi references lead somewhere") {
    check_references(document());
}

TEST_CASE("openapi names every schema that a route speaks of") {
    for (const Route& route : routes()) {
        INFO(route.id);
        if (!route.request.empty())
            CHECK(document()["components"]["schemas"].contains(std::string(route.request)));
        if (!route.response.empty())
            CHECK(document()["components"]["schemas"].contains(std::string(route.response)));
    }
}

TEST_CASE("openapi describes every parameter") {
    for (const auto& [path, operations] : document()["paths"].items())
        for (const auto& [method, operation] : operations.items())
            for (const json& parameter : operation.value("parameters", json::array())) {
                INFO(path << " " << method << " " << parameter["name"]);
                CHECK_FALSE(parameter["description"].get<std::string>().empty());
            }
}

TEST_CASE("openapi says that open routes need no token and all others may answer 401") {
    for (const Route& route : routes()) {
        std::string method(route.method);
        for (char& c : method) c = static_cast<char>(std::tolower(c));
        const json& operation = document()["paths"].at(std::string(route.pattern)).at(method);
        INFO(route.id);
        CHECK(operation.contains("security") == route.open);
        CHECK(operation["responses"].contains("401") != route.open);
    }
}
