// SPDX-License-Identifier: Apache-2.0
#include "cli/deploy_spec.hpp"

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::cli;

TEST_CASE("trigger pairs nest by dots, read YAML values and append when a key comes twice") {
    auto members = trigger_members({"path=/a=b", "auth.type=token", "methods=GET", "methods=POST"});
    REQUIRE(members.has_value());
    CHECK(*members == Json{{"path", "/a=b"}, {"auth", {{"type", "token"}}}, {"methods", {"GET", "POST"}}});
    auto flow = trigger_members({"methods=[GET, POST]"});
    REQUIRE(flow.has_value());
    CHECK((*flow)["methods"] == Json{"GET", "POST"});
}

TEST_CASE("trigger pairs that are no pairs are refused") {
    CHECK_FALSE(trigger_members({"path"}).has_value());
    CHECK_FALSE(trigger_members({"=x"}).has_value());
    CHECK_FALSE(trigger_members({"a..b=x"}).has_value());
    CHECK_FALSE(trigger_members({"path=/x", "path.more=1"}).has_value());
}

TEST_CASE("an environment file may have comments, export and quotes") {
    auto pairs = parse_env_file("# comment\n\nexport A=1\nB=\"two words\"\r\nC='x=y'\nD=\n");
    REQUIRE(pairs.has_value());
    std::vector<std::pair<std::string, std::string>> wanted{{"A", "1"}, {"B", "two words"}, {"C", "x=y"}, {"D", ""}};
    CHECK(*pairs == wanted);
}

TEST_CASE("a line of an environment file that is not KEY=VALUE is named") {
    auto pairs = parse_env_file("A=1\nnonsense\n");
    REQUIRE_FALSE(pairs.has_value());
    CHECK(pairs.error().message.find("line 2") != std::string::npos);
}

TEST_CASE("flags override what is there and keep the rest") {
    Json base{{"runtime", {{"name", "python"}, {"version", "3.11"}}},
              {"resources", {{"memory", "128Mi"}, {"timeout", "7s"}}},
              {"environment", {{"variables", {{"A", "1"}}}}}};
    DeployFlags flags;
    flags.memory = "256Mi";
    flags.variables = {"B=2"};
    flags.runtime = "nodejs18.x";
    auto spec = apply_flags(base, flags);
    REQUIRE(spec.has_value());
    CHECK((*spec)["resources"] == Json{{"memory", "256Mi"}, {"timeout", "7s"}});
    CHECK((*spec)["environment"]["variables"] == Json{{"A", "1"}, {"B", "2"}});
    CHECK((*spec)["runtime"] == Json{{"name", "node"}, {"version", "18"}});
}

TEST_CASE("a secret of the same variable is replaced, others are kept") {
    Json base{{"environment",
               {{"secrets", {{{"name", "A"}, {"secretName", "s"}, {"secretKey", "k"}},
                             {{"name", "B"}, {"secretName", "s"}, {"secretKey", "k"}}}}}}};
    DeployFlags flags;
    flags.secrets = {"A=db/url"};
    auto spec = apply_flags(base, flags);
    REQUIRE(spec.has_value());
    const Json& list = (*spec)["environment"]["secrets"];
    REQUIRE(list.size() == 2);
    CHECK(list[0]["name"] == "B");
    CHECK(list[1] == Json{{"name", "A"}, {"secretName", "db"}, {"secretKey", "url"}});
    flags.secrets = {"A=db"};
    CHECK_FALSE(apply_flags(base, flags).has_value());
}

TEST_CASE("naming a trigger replaces the triggers there are") {
    Json base{{"triggers", {{{"type", "http"}, {"path", "/old"}}}}};
    DeployFlags flags;
    flags.triggers = {"http"};
    flags.trigger_config = {"path=/new"};
    auto spec = apply_flags(base, flags);
    REQUIRE(spec.has_value());
    CHECK((*spec)["triggers"] == Json::array({{{"type", "http"}, {"path", "/new"}}}));
    auto kept = apply_flags(base, DeployFlags{});
    REQUIRE(kept.has_value());
    CHECK(*kept == base);
}

TEST_CASE("trigger members alone change the trigger there is") {
    Json base{{"triggers", {{{"type", "http"}, {"name", "http"}, {"path", "/only"}, {"methods", {"GET", "POST"}}}}}};
    DeployFlags flags;
    flags.trigger_config = {"methods=[GET]", "auth.type=token"};
    auto spec = apply_flags(base, flags);
    REQUIRE(spec.has_value());
    CHECK((*spec)["triggers"] == Json::array({{{"type", "http"},
                                               {"name", "http"},
                                               {"path", "/only"},
                                               {"methods", {"GET"}},
                                               {"auth", {{"type", "token"}}}}}));
    auto fresh = apply_flags(Json::object(), flags);
    REQUIRE(fresh.has_value());
    CHECK((*fresh)["triggers"][0]["type"] == "http");
    auto single = apply_flags({{"trigger", {{"type", "http"}, {"path", "/one"}}}}, flags);
    REQUIRE(single.has_value());
    CHECK((*single)["triggers"][0]["path"] == "/one");
    CHECK_FALSE(single->contains("trigger"));
}

TEST_CASE("of several triggers the one to change is named") {
    Json base{{"triggers", {{{"type", "http"}, {"name", "a"}, {"path", "/a"}},
                            {{"type", "http"}, {"name", "b"}, {"path", "/b"}}}}};
    DeployFlags flags;
    flags.trigger_config = {"auth.type=token"};
    auto unclear = apply_flags(base, flags);
    REQUIRE_FALSE(unclear.has_value());
    CHECK(unclear.error().message.find("(a, b)") != std::string::npos);
    flags.trigger_config.push_back("name=b");
    auto spec = apply_flags(base, flags);
    REQUIRE(spec.has_value());
    CHECK((*spec)["triggers"][0] == base["triggers"][0]);
    CHECK((*spec)["triggers"][1]["path"] == "/b");
    CHECK((*spec)["triggers"][1]["auth"]["type"] == "token");
    flags.trigger_config = {"name=c"};
    CHECK_FALSE(apply_flags(base, flags).has_value());
}

TEST_CASE("an environment file that is not UTF-8 is refused") {
    DeployFlags flags;
    flags.env_file_text = "A=\xff\n";
    CHECK_FALSE(apply_flags(Json::object(), flags).has_value());
}

TEST_CASE("an unknown runtime is refused before anything is sent") {
    DeployFlags flags;
    flags.runtime = "cobol";
    auto spec = apply_flags(Json::object(), flags);
    REQUIRE_FALSE(spec.has_value());
    CHECK(spec.error().code == Errc::invalid_runtime);
}
