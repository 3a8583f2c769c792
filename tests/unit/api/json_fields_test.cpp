// SPDX-License-Identifier: Apache-2.0
#include "api/json_fields.hpp"

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::api;
using nlohmann::json;

TEST_CASE("fields read what is there and skip null") {
    const json object{{"a", "x"}, {"b", nullptr}, {"c", true}, {"d", 7}};
    JsonFields fields(object);
    CHECK(fields.text("a") == "x");
    CHECK_FALSE(fields.text("b"));
    CHECK(fields.boolean("c") == true);
    CHECK(fields.integer("d", 0, 10) == 7);
    CHECK_FALSE(fields.finish("It"));
}

TEST_CASE("fields report every mistake at once, under their prefix") {
    const json object{{"a", 1},          {"b", "x"}, {"c", 11},     {"d", 1.5},
                      {"e", {{"k", 1}}}, {"f", {1}}, {"unknown", 0}};
    JsonFields fields(object, "p");
    fields.text("a");
    fields.boolean("b");
    fields.integer("c", 0, 10);
    fields.integer("d", 0, 10);
    fields.text_map("e");
    fields.text_list("f");
    fields.required_text("g");
    const auto error = fields.finish("It");
    REQUIRE(error);
    CHECK(error->code == Errc::validation_error);
    std::vector<std::string> names;
    for (const auto& field : error->fields) names.push_back(field.field);
    CHECK(names == std::vector<std::string>{"p.a", "p.b", "p.c", "p.d", "p.e.k", "p.f", "p.g", "p.unknown"});
}

TEST_CASE("numbers beyond 64 bits are out of range, not wrapped") {
    const json object = json::parse(R"({"n": 18446744073709551615, "m": -9223372036854775808})");
    JsonFields fields(object);
    CHECK_FALSE(fields.integer("n", 0, 10));
    CHECK_FALSE(fields.integer("m", 0, 10));
}

TEST_CASE("something that is no object has no fields and is an error") {
    const json list = json::array();
    JsonFields fields(list);
    CHECK_FALSE(fields.text("a"));
    CHECK(fields.finish("It"));
}

TEST_CASE("a multi-map takes single strings and lists") {
    const json object{{"h", {{"a", "1"}, {"b", {"2", "3"}}}}};
    JsonFields fields(object);
    const auto map = fields.multi_map("h");
    REQUIRE(map.size() == 2);
    CHECK(map[0].second == std::vector<std::string>{"1"});
    CHECK(map[1].second == std::vector<std::string>{"2", "3"});
}
