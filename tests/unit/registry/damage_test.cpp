// SPDX-License-Identifier: Apache-2.0
// Flipped bits are noticed, named, and cost one function, not the server.
#include "fixture.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using namespace hks;
using namespace hks::registry;

TEST_CASE("a changed column of a function is noticed and named") {
    Fixture f;
    f.deploy("hello");
    std::string id = f.get("hello").id;
    const char* changes[]{"status = 'error'",
                          "active_version = 2",
                          "last_version = 9",
                          "switch_floor = 9",
                          "labels = '{\"a\":\"b\"}'",
                          "spec = replace(spec, 'main', 'main2')",
                          "created_at = created_at + 1",
                          "revision = revision + 1"};
    for (std::string change : changes) {
        INFO(change);
        f.execute("SAVEPOINT s; UPDATE functions SET " + change);
        CHECK(failure(f->get("default", "hello")) == "PROVIDER_ERROR");
        CHECK(message(f->get("default", "hello")).find("'" + id + "' of table 'functions'") !=
              std::string::npos);
        f.execute("ROLLBACK TO s; RELEASE s");
    }
    CHECK(f->get("default", "hello").has_value());
}

TEST_CASE("a changed column of a version is noticed and named") {
    Fixture f;
    f.deploy("hello");
    const char* changes[]{
        "digest = replace(digest, 'a', 'b')",    "status = 'failed'", "runtime = 'x'", "activate = 0",
        "spec = replace(spec, 'main', 'main2')", "finished_at = NULL"};
    for (std::string change : changes) {
        INFO(change);
        f.execute("SAVEPOINT s; UPDATE versions SET " + change);
        CHECK(message(f->version("default", "hello", 1)).find("table 'versions'") != std::string::npos);
        f.execute("ROLLBACK TO s; RELEASE s");
    }
}

TEST_CASE("a changed trigger is noticed and named") {
    Fixture f;
    f.deploy("hello", version_with({http("/a")}));
    f.execute("UPDATE triggers SET spec = replace(spec, '/a', '/b')");
    CHECK(message(f->get("default", "hello")).find("table 'triggers'") != std::string::npos);
}

TEST_CASE("a damaged digest never makes a bundle look unused") {
    Fixture f;
    f.deploy("hello");
    CHECK(take(f->digests_in_use()) == std::set<std::string>{std::string(64, 'a')});
    f.execute("UPDATE versions SET digest = replace(digest, 'a', 'b')");
    CHECK(failure(f->digests_in_use()) == "PROVIDER_ERROR");
}

TEST_CASE("a damaged function does not keep the others from starting, and can be deleted") {
    Fixture f;
    f.deploy("good");
    f.deploy("bad");
    f.execute("UPDATE functions SET status = 'x' WHERE name = 'bad'");
    f.restart();
    CHECK(f.entry("good")->active);
    CHECK(!f.entry("bad"));
    CHECK(f.logged.find("damaged") != std::string::npos);
    CHECK(failure(f->add_version("default", "bad", version_with({}))) == "PROVIDER_ERROR");
    take(f->remove("default", "bad"));
    f.deploy("bad");
    CHECK(f.entry("bad")->active);
}

TEST_CASE("snapshots come in the order of their commits while many write") {
    Fixture f;
    std::atomic<bool> ordered = true;
    uint64_t last = 0;  // subscribers are called one at a time
    f->watch().subscribe([&] {
        uint64_t revision = f->watch().get()->revision;
        if (revision <= last) ordered = false;
        last = revision;
    });
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&f, t] {
            for (int i = 0; i < 10; ++i)
                (void)f->create("default", "f" + std::to_string(t) + "-" + std::to_string(i),
                                version_with({http()}));
        });
    for (auto& thread : threads) thread.join();
    CHECK(ordered);
    CHECK(f->watch().get()->functions.size() == 40);
    CHECK(take(f->list("default", {100, ""})).items.size() == 40);
}
