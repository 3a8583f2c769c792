// SPDX-License-Identifier: Apache-2.0
// Who wins when builds end while people roll back.
#include "fixture.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace hks;
using namespace hks::registry;

namespace {

struct Step {
    std::string what;  ///< add, add-quietly, finish, fail, activate, rollback
    int number = 0;
};

struct Case {
    std::string name;
    std::vector<Step> steps;  ///< after version 1 has been deployed
    int active;
};

}  // namespace

TEST_CASE("the newest wish decides which version is active") {
    const Case cases[]{
        {"a deploy switches", {{"add"}, {"finish", 2}}, 2},
        {"a quiet deploy does not", {{"add-quietly"}, {"finish", 2}}, 1},
        {"a quiet one can be activated by hand", {{"add-quietly"}, {"finish", 2}, {"activate", 2}}, 2},
        {"the newer of two builds wins, in order", {{"add"}, {"add"}, {"finish", 2}, {"finish", 3}}, 3},
        {"the newer of two builds wins, out of order", {{"add"}, {"add"}, {"finish", 3}, {"finish", 2}}, 3},
        {"an older build wins when the newer fails", {{"add"}, {"add"}, {"fail", 3}, {"finish", 2}}, 2},
        {"a quiet newer one is no obstacle", {{"add"}, {"add-quietly"}, {"finish", 3}, {"finish", 2}}, 2},
        {"a rollback during a build wins",
         {{"add"}, {"finish", 2}, {"add"}, {"rollback", 1}, {"finish", 3}},
         1},
        {"activating what is active is a wish too", {{"add"}, {"activate", 1}, {"finish", 2}}, 1},
        {"a deploy after a rollback wins",
         {{"add"}, {"finish", 2}, {"rollback", 1}, {"add"}, {"finish", 3}},
         3},
        {"of two builds round a rollback the later wins",
         {{"add"}, {"activate", 1}, {"add"}, {"finish", 3}, {"finish", 2}},
         3},
    };
    for (const auto& one : cases) {
        SECTION(one.name) {
            Fixture f;
            f.deploy("hello");
            std::map<int, int64_t> keys;
            for (const auto& step : one.steps) {
                if (step.what.starts_with("add")) {
                    auto version = version_with({http()});
                    version.activate = step.what == "add";
                    auto made = take(f->add_version("default", "hello", version)).second;
                    keys[made.number] = made.key;
                }
                if (step.what == "finish") take(f.finish(keys.at(step.number)));
                if (step.what == "fail") take(f->fail_version(keys.at(step.number), "x"));
                if (step.what == "activate") take(f->activate("default", "hello", step.number));
                if (step.what == "rollback") take(f->rollback("default", "hello", step.number));
            }
            CHECK(f.get("hello").active_version == one.active);
            CHECK(f.entry("hello")->active->number == one.active);
            f.restart();
            CHECK(f.entry("hello")->active->number == one.active);
        }
    }
}

TEST_CASE("a rollback goes to the newest built version before the active one") {
    Fixture f;
    f.deploy("hello");
    f.deploy("hello");
    take(f->fail_version(f.add("hello"), "broken"));
    f.deploy("hello");
    CHECK(take(f->rollback("default", "hello", std::nullopt)).active_version == 2);
    CHECK(take(f->rollback("default", "hello", std::nullopt)).active_version == 1);
    CHECK(failure(f->rollback("default", "hello", std::nullopt)) == "VERSION_NOT_FOUND");
}

TEST_CASE("only a version that was built can be activated") {
    Fixture f;
    f.deploy("hello");
    take(f->fail_version(f.add("hello"), "broken"));
    f.add("hello");
    CHECK(failure(f->activate("default", "hello", 2)) == "CONFLICT");
    CHECK(failure(f->activate("default", "hello", 3)) == "CONFLICT");
    CHECK(failure(f->activate("default", "hello", 4)) == "VERSION_NOT_FOUND");
    CHECK(failure(f->rollback("default", "nothing", std::nullopt)) == "FUNCTION_NOT_FOUND");
    CHECK(f.get("hello").active_version == 1);
}

TEST_CASE("a rollback brings the old configuration back and leaves the triggers alone") {
    Fixture f;
    auto one = version_with({http("/one")});
    one.spec.variables = {{"V", "1"}};
    auto two = version_with({http("/two")});
    two.spec.variables = {{"V", "2"}};
    f.deploy("hello", one);
    f.deploy("hello", two);
    auto record = take(f->rollback("default", "hello", std::nullopt));
    CHECK(record.spec.variables.at("V") == "1");
    REQUIRE(record.triggers.size() == 1);
    CHECK(record.triggers[0].spec.path == "/two");
    CHECK(record.spec.triggers[0].path == "/two");
}

TEST_CASE("numbers of versions are never used twice") {
    Fixture f;
    f.deploy("hello");
    take(f->fail_version(f.add("hello"), "broken"));
    f.restart();
    CHECK(take(f->add_version("default", "hello", version_with({}))).second.number == 3);
}
