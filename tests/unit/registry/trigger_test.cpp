// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"
#include "registry/trigger_rules.hpp"

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::registry;

namespace {

std::vector<std::string> names(const std::vector<TriggerEntry>& entries) {
    std::vector<std::string> out;
    for (const auto& entry : entries) out.push_back(entry.spec.name);
    return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("triggers without a name get one that is free") {
    CHECK(names(make_entries({http(), http("/a"), http("/b")}, {})) == Names{"http", "http-2", "http-3"});
    CHECK(names(make_entries({http(), http("/a", {}, "http")}, {})) == Names{"http-2", "http"});
    CHECK(names(make_entries({http("/a", {}, "x"), http("/b", {}, "x")}, {})) == Names{"x", "x-2"});
    std::string longest(63, 'a');
    auto cut = names(make_entries({http("/a", {}, longest), http("/b", {}, longest)}, {}));
    CHECK(cut[1] == std::string(61, 'a') + "-2");
}

TEST_CASE("a trigger keeps its id over deploys as long as it keeps its name") {
    Fixture f;
    f.deploy("hello", version_with({http("/a", {}, "one"), http("/b", {}, "two")}));
    auto before = f.get("hello").triggers;
    f.deploy("hello", version_with({http("/c", {}, "two"), http("/d", {}, "three")}));
    auto after = f.get("hello").triggers;
    REQUIRE(after.size() == 2);
    CHECK(after[0].id == before[1].id);
    CHECK(after[0].spec.path == "/c");
    CHECK(after[1].id != before[0].id);
}

TEST_CASE("patterns that match the same paths are one") {
    CHECK(normalised_pattern("/a/{x}/b/{y}") == "/a/{}/b/{}");
    CHECK(normalised_pattern("/a/*") == "/a/*");
    CHECK(normalised_pattern("/a/{x") == "/a/{x");
    CHECK(normalised_pattern("") == "");
}

TEST_CASE("a path can be had by one function only") {
    struct Row {
        TriggerSpec theirs, ours;
        bool conflict;
    };
    const Row rows[]{
        {http("/a"), http("/a"), true},
        {http("/a"), http("/b"), false},
        {http("/a/{x}"), http("/a/{y}"), true},
        {http("/a/{x}"), http("/a/b"), false},
        {http("/a/*"), http("/a/{x}"), false},
        {http("/a/*"), http("/a/*"), true},
        {http("/a", {"GET"}), http("/a", {"POST"}), false},
        {http("/a", {"GET", "PUT"}), http("/a", {"PUT"}), true},
        {http("/a", {"GET"}), http("/a"), true},
        {http(""), http(""), false},
        {http("/A"), http("/a"), false},
    };
    for (const auto& row : rows) {
        INFO(row.theirs.path << " and " << row.ours.path);
        Fixture f;
        f.deploy("theirs", version_with({row.theirs}));
        auto done = f->create("default", "ours", version_with({row.ours}));
        CHECK(done.has_value() != row.conflict);
        if (row.conflict) {
            CHECK(failure(done) == "CONFLICT");
            CHECK(message(done).find("'theirs'") != std::string::npos);
        }
    }
}

TEST_CASE("a disabled trigger and one of a function that never built hold their paths too") {
    Fixture f;
    auto disabled = http("/a");
    disabled.enabled = false;
    f.deploy("one", version_with({disabled}));
    f.create("two", version_with({http("/b")}));
    CHECK(failure(f->create("default", "x", version_with({http("/a")}))) == "CONFLICT");
    CHECK(failure(f->create("default", "x", version_with({http("/b")}))) == "CONFLICT");
}

TEST_CASE("a function cannot take one path twice") {
    Fixture f;
    CHECK(failure(f->create("default", "x", version_with({http("/a"), http("/a")}))) == "CONFLICT");
    CHECK(failure(f->create("default", "x", version_with({http(), http()}))) == "CONFLICT");
    f.create("x", version_with({http("/a", {"GET"}), http("/a", {"POST"}), http()}));
}

TEST_CASE("a path that is taken stops a new version, a new trigger and a changed one") {
    Fixture f;
    f.deploy("theirs", version_with({http("/a")}));
    f.deploy("ours");
    CHECK(failure(f->add_version("default", "ours", version_with({http("/a")}))) == "CONFLICT");
    CHECK(failure(f->add_trigger("default", "ours", http("/a"))) == "CONFLICT");
    CHECK(failure(f->update_trigger("default", "ours", "http", http("/a"))) == "CONFLICT");
    CHECK(f.get("ours").triggers[0].spec.path.empty());
}

TEST_CASE("a path that was taken while the version was building fails the version") {
    Fixture f;
    f.deploy("ours");
    auto next = version_with({http("/a")});
    int64_t key = f.add("ours", next);
    f.deploy("theirs", version_with({http("/a")}));
    CHECK(failure(f.finish(key, next.spec)) == "CONFLICT");
    auto version = take(f->version("default", "ours", 2));
    CHECK(version.status == "failed");
    CHECK(version.error.find("'theirs'") != std::string::npos);
    CHECK(f.get("ours").active_version == 1);
    CHECK(f.get("ours").status == "ready");
}

TEST_CASE("the triggers of a version become the function's with the switch, not before") {
    Fixture f;
    f.deploy("hello", version_with({http("/old")}));
    auto next = version_with({http("/new")});
    int64_t key = f.add("hello", next);
    CHECK(f.entry("hello")->triggers[0].spec.path == "/old");
    take(f.finish(key, next.spec));
    CHECK(f.entry("hello")->triggers[0].spec.path == "/new");
    CHECK(f.get("hello").spec.triggers[0].path == "/new");
}

TEST_CASE("a version that does not switch does not bring its triggers") {
    Fixture f;
    f.deploy("hello", version_with({http("/old")}));
    auto next = version_with({http("/new")});
    next.activate = false;
    take(f.finish(f.add("hello", next), next.spec));
    CHECK(f.entry("hello")->triggers[0].spec.path == "/old");
}

TEST_CASE("a trigger that is added is there at once, everywhere, and after a restart") {
    Fixture f;
    f.deploy("hello");
    int64_t revision = f.get("hello").revision;
    auto added = take(f->add_trigger("default", "hello", http("/a/{id}", {"GET"})));
    CHECK(added.spec.name == "http-2");
    CHECK(added.id.starts_with("trg_"));
    CHECK(f.get("hello").revision > revision);
    CHECK(f.get("hello").spec.triggers.size() == 2);
    CHECK(f.entry("hello")->triggers.size() == 2);
    f.restart();
    REQUIRE(f.entry("hello")->triggers.size() == 2);
    CHECK(f.entry("hello")->triggers[1].spec == added.spec);
}

TEST_CASE("a trigger is changed by name or id and keeps both") {
    Fixture f;
    f.deploy("hello", version_with({http("/a", {}, "one"), http("/b", {}, "two")}));
    auto id = f.get("hello").triggers[1].id;
    auto disabled = http("/c");
    disabled.enabled = false;
    auto changed = take(f->update_trigger("default", "hello", id, disabled));
    CHECK(changed.id == id);
    CHECK(changed.spec.name == "two");
    CHECK(!f.entry("hello")->triggers[1].spec.enabled);
    CHECK(take(f->update_trigger("default", "hello", "two", http("/c", {}, "three"))).spec.name == "three");
    CHECK(failure(f->update_trigger("default", "hello", "three", http("/c", {}, "one"))) == "ALREADY_EXISTS");
    CHECK(failure(f->update_trigger("default", "hello", "two", http("/c"))) == "TRIGGER_NOT_FOUND");
}

TEST_CASE("a trigger may keep its own path when it is changed") {
    Fixture f;
    f.deploy("hello", version_with({http("/a")}));
    take(f->update_trigger("default", "hello", "http", http("/a", {"GET"})));
    CHECK(f.entry("hello")->triggers[0].spec.methods == Names{"GET"});
}

TEST_CASE("a chosen name that is taken is refused, a path that cannot be one too") {
    Fixture f;
    f.deploy("hello");
    CHECK(failure(f->add_trigger("default", "hello", http("/a", {}, "http"))) == "ALREADY_EXISTS");
    CHECK(failure(f->add_trigger("default", "hello", http("/functions/x"))) == "VALIDATION_ERROR");
    CHECK(failure(f->add_trigger("default", "nothing", http("/a"))) == "FUNCTION_NOT_FOUND");
}

TEST_CASE("a condition on a trigger holds as long as nobody changed it") {
    Fixture f;
    f.deploy("a", version_with({http("/a", {}, "t")}));
    const TriggerEntry before = f.get("a").triggers.at(0);
    const std::string seen = revision_of(before);
    CHECK(failure(f->update_trigger("default", "a", "t", http("/b"), "other")) ==
          "PRECONDITION_FAILED");
    CHECK(failure(f->remove_trigger("default", "a", "t", "other")) == "PRECONDITION_FAILED");
    CHECK(f.get("a").triggers.at(0).spec == before.spec);
    const TriggerEntry after = take(f->update_trigger("default", "a", "t", http("/b"), seen));
    CHECK(revision_of(after) != seen);
    CHECK(failure(f->remove_trigger("default", "a", "t", seen)) == "PRECONDITION_FAILED");
    take(f->remove_trigger("default", "a", "t", revision_of(after)));
}

TEST_CASE("a removed trigger frees its path") {
    Fixture f;
    f.deploy("one", version_with({http("/a")}));
    take(f->remove_trigger("default", "one", "http"));
    CHECK(failure(f->remove_trigger("default", "one", "http")) == "TRIGGER_NOT_FOUND");
    f.deploy("two", version_with({http("/a")}));
    f.restart();
    CHECK(f.entry("one")->triggers.empty());
}
