// SPDX-License-Identifier: Apache-2.0
#include "cli/deploy_report.hpp"

#include <catch2/catch.hpp>

using namespace hks::cli;

namespace {

Json trigger(const char* name, const char* auth, bool enabled = true) {
    return {{"name", name}, {"enabled", enabled}, {"auth", auth}, {"url", std::string("http://h/") + name}};
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a deploy says which version is live") {
    const Json function{{"name", "f"}, {"active_version", 2}};
    CHECK(deploy_outcome(function, 2, false, 0.5) == "Function f version 2 is live after 0.50 s.");
    CHECK(has(deploy_outcome(function, 3, true, 0.5), "version 3 is ready, without traffic after 0.50 s.\nTry it:"));
    const auto overtaken = deploy_outcome(function, 1, false, 3);
    CHECK(has(overtaken, "version 1 is ready after 3.00 s, but version 2 is live"));
    CHECK_FALSE(has(overtaken, "1 is live"));
    CHECK(has(deploy_outcome({{"name", "f"}, {"active_version", nullptr}}, 1, false, 1), "no version is live"));
}

TEST_CASE("a deploy says who may call, from the auth in force") {
    CHECK(has(who_may_call("f", Json::array({trigger("a", "public")})), "It is public: whoever"));
    CHECK(has(who_may_call("f", Json::array({trigger("a", "token")})), "It is not public"));
    const auto mixed = who_may_call("f", {trigger("a", "token"), trigger("b", "public")});
    CHECK(has(mixed, "It is public at http://h/b:"));
    CHECK(has(mixed, "--trigger-config name=TRIGGER"));
    CHECK(has(who_may_call("f", {trigger("a", "token"), trigger("b", "public", false)}), "It is not public"));
}

TEST_CASE("a function without an enabled trigger is not called public") {
    const auto none = who_may_call("f", Json::array());
    CHECK(has(none, "No trigger leads to it"));
    CHECK(has(none, "hks function trigger add f"));
    CHECK(has(who_may_call("f", Json::array({trigger("a", "public", false)})), "hks function trigger enable f a"));
    CHECK(who_may_call("f", Json::array({{{"name", "a"}, {"enabled", true}}})).empty());
}
