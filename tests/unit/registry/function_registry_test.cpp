// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"

#include <catch2/catch.hpp>
#include <limits>

using namespace hks;
using namespace hks::registry;

namespace {

FunctionSpec full_spec() {
    FunctionSpec spec = version_with({http("/a/{id}", {"GET", "POST"}, "a"), http()}).spec;
    spec.triggers[0].auth = TriggerAuth::token;
    spec.triggers[1].enabled = false;
    spec.resources.memory = 512ull << 20;
    spec.resources.cpu_limit = 500;
    spec.resources.queue_timeout = milliseconds(1500);
    spec.scaling.concurrency = 7;
    spec.variables = {{"K", "v with ünïcode and \"quotes\""}};
    spec.secrets = {{"ENV", "db", "url"}};
    return spec;
}

}  // namespace

TEST_CASE("a new function is building, has version 1 and cannot be called yet") {
    Fixture f;
    auto [function, version] = take(f->create("default", "hello", version_with({http()})));
    CHECK(function.status == "building");
    CHECK(function.active_version == 0);
    CHECK(version.number == 1);
    CHECK(version.status == "building");
    CHECK(function.id.starts_with("fn_"));
    REQUIRE(f.entry("hello"));
    CHECK(f.entry("hello")->active == nullptr);
}

TEST_CASE("a build that succeeds makes its version active") {
    Fixture f;
    int64_t key = f.create("hello");
    auto resolved = version_with({http()}).spec;
    resolved.handler = "function.handle";
    take(f.finish(key, resolved));
    CHECK(f.get("hello").status == "ready");
    CHECK(f.get("hello").active_version == 1);
    REQUIRE(f.entry("hello")->active);
    CHECK(f.entry("hello")->active->spec.handler == "function.handle");
    CHECK(f.entry("hello")->active->digest == std::string(64, 'a'));
    CHECK(f.entry("hello")->active->key == key);
    auto version = take(f->version("default", "hello", 1));
    CHECK(version.status == "success");
    CHECK(version.runtime == "python3.11");
    CHECK(version.finished_at.has_value());
}

TEST_CASE("everything of a spec survives a restart") {
    Fixture f;
    NewVersion version;
    version.spec = full_spec();
    version.labels = {{"team", "a"}};
    take(f.finish(f.create("hello", version), version.spec));
    auto before = f.get("hello");
    auto entry = f.entry("hello");
    f.restart();
    auto after = f.get("hello");
    CHECK(after.spec == before.spec);
    CHECK(after.spec.resources == full_spec().resources);
    CHECK(after.spec.variables == full_spec().variables);
    CHECK(after.spec.secrets == full_spec().secrets);
    CHECK(after.labels == version.labels);
    CHECK(after.revision == before.revision);
    CHECK(after.created_at == before.created_at);
    REQUIRE(f.entry("hello"));
    CHECK(f.entry("hello")->active->spec == entry->active->spec);
    CHECK(f.entry("hello")->triggers.size() == 2);
    CHECK(f.entry("hello")->triggers[0].spec == entry->triggers[0].spec);
    CHECK(f.entry("hello")->triggers[0].id == entry->triggers[0].id);
}

TEST_CASE("a spec beyond today's limits stays readable") {
    Fixture f;
    NewVersion version = version_with({http()});
    version.spec.resources.memory = 64ull << 30;
    version.spec.resources.timeout = std::chrono::hours(5);
    f.deploy("hello", version);
    f.restart();
    CHECK(f.get("hello").spec.resources.memory == 64ull << 30);
}

TEST_CASE("a function without triggers stays without") {
    Fixture f;
    f.deploy("hello", version_with({}));
    f.restart();
    CHECK(f.get("hello").triggers.empty());
    CHECK(f.get("hello").spec.triggers.empty());
    CHECK(f.entry("hello")->triggers.empty());
}

TEST_CASE("bad creations are refused and leave nothing") {
    Fixture f;
    f.create("hello");
    auto version = version_with({http()});
    CHECK(failure(f->create("default", "hello", version)) == "ALREADY_EXISTS");
    CHECK(failure(f->create("default", "Not A Name", version)) == "VALIDATION_ERROR");
    CHECK(failure(f->create("default", "fn_x", version)) == "VALIDATION_ERROR");
    CHECK(failure(f->create("nowhere", "x", version)) == "VALIDATION_ERROR");
    CHECK(failure(f->create("default", "x", version_with({http("/api/x")}))) == "VALIDATION_ERROR");
    version.expected_revision = "1";
    CHECK(failure(f->create("default", "x", version)) == "PRECONDITION_FAILED");
    CHECK(take(f->list("default", {})).items.size() == 1);
    CHECK(f->watch().get()->functions.size() == 1);
}

TEST_CASE("a function is found by name and by id, and only in its workspace") {
    Fixture f;
    f.create("hello");
    CHECK(take(f->get("default", f.get("hello").id)).name == "hello");
    CHECK(failure(f->get("other", "hello")) == "FUNCTION_NOT_FOUND");
    CHECK(failure(f->get("default", "nothing")) == "FUNCTION_NOT_FOUND");
    CHECK(failure(f->version("default", "hello", 7)) == "VERSION_NOT_FOUND");
}

TEST_CASE("a failed first build is an error, a later success makes it ready") {
    Fixture f;
    int64_t key = f.create("hello");
    take(f->fail_version(key, "no handler"));
    CHECK(f.get("hello").status == "error");
    CHECK(take(f->version("default", "hello", 1)).error == "no handler");
    int64_t second = f.add("hello");
    CHECK(f.get("hello").status == "building");
    take(f.finish(second));
    CHECK(f.get("hello").status == "ready");
    CHECK(f.get("hello").active_version == 2);
}

TEST_CASE("a failed build beside an active version changes nothing that runs") {
    Fixture f;
    f.deploy("hello");
    auto next = version_with({http("/other")});
    next.spec.handler = "broken.x";
    take(f->fail_version(f.add("hello", next), "broken"));
    CHECK(f.get("hello").status == "ready");
    CHECK(f.get("hello").active_version == 1);
    CHECK(f.get("hello").spec.handler == "main.handler");
    CHECK(f.get("hello").triggers[0].spec.path.empty());
}

TEST_CASE("a version that failed has failed for good, and saying it twice is harmless") {
    Fixture f;
    int64_t key = f.create("hello");
    take(f->fail_version(key, "first"));
    take(f->fail_version(key, "second"));
    CHECK(take(f->version("default", "hello", 1)).error == "first");
    CHECK(failure(f.finish(key)) == "CONFLICT");
}

TEST_CASE("a version that was built never changes") {
    Fixture f;
    int64_t key = f.create("hello");
    take(f.finish(key));
    CHECK(failure(f.finish(key)) == "CONFLICT");
    CHECK(failure(f->fail_version(key, "late")) == "CONFLICT");
    CHECK(take(f->version("default", "hello", 1)).status == "success");
}

TEST_CASE("builds that a restart interrupted have failed") {
    Fixture f;
    f.create("one");
    f.deploy("two");
    f.add("two");
    f.restart();
    CHECK(f.get("one").status == "error");
    CHECK(f.get("two").status == "ready");
    auto version = take(f->version("default", "two", 2));
    CHECK(version.status == "failed");
    CHECK(version.error.find("interrupted by a restart") != std::string::npos);
}

TEST_CASE("finishing a version whose function was deleted says so") {
    Fixture f;
    int64_t key = f.create("hello");
    take(f->remove("default", "hello"));
    CHECK(failure(f.finish(key)) == "VERSION_NOT_FOUND");
    CHECK(failure(f->fail_version(key, "x")) == "VERSION_NOT_FOUND");
}

TEST_CASE("deleting takes versions, triggers and the catalog's entry along") {
    Fixture f;
    f.deploy("hello", version_with({http("/x")}));
    take(f->remove("default", "hello"));
    CHECK(failure(f->get("default", "hello")) == "FUNCTION_NOT_FOUND");
    CHECK(!f.entry("hello"));
    CHECK(take(f->digests_in_use()).empty());
    CHECK(failure(f->remove("default", "hello")) == "FUNCTION_NOT_FOUND");
    f.deploy("heir", version_with({http("/x")}));
}

TEST_CASE("keys of versions are never used again") {
    Fixture f;
    int64_t key = f.create("hello");
    take(f->remove("default", "hello"));
    f.restart();
    CHECK(f.create("hello") > key);
}

TEST_CASE("an ETag that does not fit stops every write that takes one") {
    Fixture f;
    f.deploy("hello");
    int64_t old = f.get("hello").revision;
    take(f->set_labels("default", "hello", {{"a", "1"}}, "\"" + std::to_string(old) + "\""));
    CHECK(f.get("hello").revision > old);
    std::string stale = std::to_string(old);
    auto version = version_with({http()});
    version.expected_revision = stale;
    CHECK(failure(f->add_version("default", "hello", version)) == "PRECONDITION_FAILED");
    CHECK(failure(f->activate("default", "hello", 1, stale)) == "PRECONDITION_FAILED");
    CHECK(failure(f->set_labels("default", "hello", {}, stale)) == "PRECONDITION_FAILED");
    CHECK(failure(f->remove("default", "hello", stale)) == "PRECONDITION_FAILED");
    take(f->remove("default", "hello", "*"));
}

TEST_CASE("the ETag of a deleted function does not fit its successor of the same name") {
    Fixture f;
    f.create("hello");
    std::string old = std::to_string(f.get("hello").revision);
    take(f->remove("default", "hello"));
    f.create("hello");
    CHECK(failure(f->remove("default", "hello", old)) == "PRECONDITION_FAILED");
}

TEST_CASE("lists come in pages that miss and repeat nothing") {
    Fixture f;
    for (char c = 'a'; c <= 'g'; ++c) f.create(std::string(1, c));
    std::string seen;
    Page page{3, ""};
    int pages = 0;
    for (;; ++pages) {
        auto got = take(f->list("default", page));
        for (const auto& item : got.items) seen += item.name;
        if (!got.next_cursor) break;
        page.cursor = *got.next_cursor;
    }
    CHECK(seen == "abcdefg");
    CHECK(pages == 2);
    CHECK(failure(f->list("default", {3, "rubbish"})) == "VALIDATION_ERROR");
}

TEST_CASE("versions are listed newest first, in pages") {
    Fixture f;
    f.deploy("hello");
    for (int i = 0; i < 4; ++i) f.deploy("hello");
    auto first = take(f->versions("default", "hello", {3, ""}));
    REQUIRE(first.items.size() == 3);
    CHECK(first.items[0].number == 5);
    auto second = take(f->versions("default", "hello", {3, first.next_cursor.value()}));
    REQUIRE(second.items.size() == 2);
    CHECK(second.items[1].number == 1);
    CHECK(!second.next_cursor);
    CHECK(failure(f->versions("default", "hello", {3, "v-x"})) == "VALIDATION_ERROR");
}

TEST_CASE("entries that did not change are shared between snapshots") {
    Fixture f;
    f.deploy("one");
    f.deploy("two");
    auto before = f->watch().get();
    f.deploy("two");
    auto after = f->watch().get();
    CHECK(after->revision > before->revision);
    CHECK(before->find("default", "one") == after->find("default", "one"));
    CHECK(before->find("default", "two") != after->find("default", "two"));
    CHECK(before->find("default", "two")->versions.at(1) == after->find("default", "two")->versions.at(1));
    CHECK(before->find("default", "two")->versions.size() == 1);
}

TEST_CASE("a subscriber sees what is committed, and may read the registry") {
    Fixture f;
    std::vector<std::string> statuses;
    auto token = f->watch().subscribe([&] { statuses.push_back(f.get("hello").status); });
    f.deploy("hello");
    f->watch().unsubscribe(token);
    CHECK(statuses == std::vector<std::string>{"building", "ready"});
}

TEST_CASE("an answer is remembered for a day under its key and body") {
    Fixture f;
    CHECK(!take(f->recall("p|POST|/x", "k", "body")));
    take(f->remember("p|POST|/x", "k", "body", {201, "{}"}));
    auto answer = take(f->recall("p|POST|/x", "k", "body"));
    REQUIRE(answer);
    CHECK(answer->status == 201);
    CHECK(answer->body == "{}");
    CHECK(failure(f->recall("p|POST|/x", "k", "other")) == "CONFLICT");
    CHECK(!take(f->recall("q|POST|/x", "k", "body")));
    f.clock.advance(std::chrono::hours(24));
    CHECK(!take(f->recall("p|POST|/x", "k", "body")));
    CHECK(!take(f->recall("p|POST|/x", "k", "other")));
}

TEST_CASE("answers that expired are swept") {
    Fixture f;
    take(f->remember("s", "old", "b", {200, ""}));
    f.clock.advance(std::chrono::hours(25));
    take(f->remember("s", "new", "b", {200, ""}));
    auto s = take(f.database->prepare("SELECT count(*) FROM idempotency"));
    REQUIRE(take(s.step()));
    CHECK(s.integer(0) == 1);
}
