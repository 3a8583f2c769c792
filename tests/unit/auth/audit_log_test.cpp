// SPDX-License-Identifier: Apache-2.0
#include "support/manual_clock.hpp"
#include "support/results.hpp"
#include "support/temporary_folder.hpp"

#include <hks/auth/auth.hpp>

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::auth;
using hks::test::take;

namespace {

struct Fixture {
    test::TemporaryFolder folder;
    test::ManualClock clock;
    std::unique_ptr<storage::Database> database =
        take(storage::Database::open(folder.file("registry.db"), storage::Durability::full));
    AuditLog log{*database, clock};

    Fixture() { take(log.open()); }
    void add(const std::string& target, const std::string& workspace = "default") {
        AuditRecord record;
        record.who = "ci";
        record.from = "127.0.0.1";
        record.workspace = workspace;
        record.action = "function.create";
        record.target = target;
        record.status = 201;
        take(log.append(record));
    }
    bool tampered(const std::string& sql) {
        take(database->execute(sql));
        return !take(log.verify());
    }
};

}  // namespace

TEST_CASE("what was done is listed newest first, by workspace and target, in pages") {
    Fixture f;
    f.add("a");
    f.add("b");
    f.add("a");
    f.add("a", "other");
    auto all = take(f.log.list("default", "", 10));
    REQUIRE(all.size() == 3);
    CHECK(all[0].target == "a");
    CHECK(all[0].key > all[1].key);
    CHECK(all[0].who == "ci");
    CHECK(all[0].from == "127.0.0.1");
    CHECK(all[0].status == 201);
    CHECK(all[0].time == f.clock.wall());
    CHECK(take(f.log.list("default", "a", 10)).size() == 2);
    auto next = take(f.log.list("default", "", 10, all[1].key));
    REQUIRE(next.size() == 1);
    CHECK(next[0].key == all[2].key);
    CHECK(take(f.log.list("default", "", 1)).size() == 1);
}

TEST_CASE("an empty log and a long one are whole") {
    Fixture f;
    CHECK(take(f.log.verify()));
    for (int i = 0; i < 2500; ++i) f.add("x");
    CHECK(take(f.log.verify()));
}

TEST_CASE("every kind of tampering breaks the chain") {
    Fixture f;
    for (int i = 0; i < 5; ++i) f.add("x" + std::to_string(i));
    REQUIRE(take(f.log.verify()));
    SECTION("a changed column") {
        CHECK(f.tampered("UPDATE audit SET who = 'nobody' WHERE key = 3"));
    }
    SECTION("a text moved to the next column") {
        CHECK(f.tampered("UPDATE audit SET workspace = 'defaultfunction', action = '.create' WHERE key = 3"));
    }
    SECTION("a changed time") {
        CHECK(f.tampered("UPDATE audit SET time = time + 1 WHERE key = 5"));
    }
    SECTION("a row taken out of the middle") {
        CHECK(f.tampered("DELETE FROM audit WHERE key = 3"));
    }
    SECTION("the oldest row gone") {
        CHECK(f.tampered("DELETE FROM audit WHERE key = 1"));
    }
    SECTION("the newest row gone") {
        CHECK(f.tampered("DELETE FROM audit WHERE key = 5"));
    }
    SECTION("all rows gone") {
        CHECK(f.tampered("DELETE FROM audit"));
    }
    SECTION("a row put in") {
        CHECK(f.tampered(
            "INSERT INTO audit SELECT 6, time, who, source, workspace, action, target, status, code,"
            " digest FROM audit WHERE key = 5"));
    }
    SECTION("two rows exchanged") {
        CHECK(
            f.tampered("UPDATE audit SET key = 99 WHERE key = 2; UPDATE audit SET key = 2 WHERE key = 3;"
                       "UPDATE audit SET key = 3 WHERE key = 99"));
    }
}
