// SPDX-License-Identifier: Apache-2.0
// What was acknowledged before a SIGKILL is there afterwards.
#include "support/killed_child.hpp"
#include "support/temporary_folder.hpp"

#include <hks/storage/artifact_store.hpp>
#include <hks/storage/database.hpp>

#include <catch2/catch.hpp>
#include <functional>
#include <random>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace hks;
using namespace hks::storage;
using hks::test::TemporaryFolder;

namespace {

using hks::test::acknowledge;
using hks::test::killed_while;

constexpr int rounds = 15;
constexpr Migration schema{1, "CREATE TABLE t(n INTEGER PRIMARY KEY, half INTEGER, data BLOB)"};

int64_t number(Database& database, const char* sql) {
    auto s = database.prepare(sql);
    REQUIRE(s.has_value());
    REQUIRE(s->step().value());
    return s->integer(0);
}

/// Rows in pairs, one transaction each; a pair that is half there was torn.
void commit_pairs(const std::string& path, int pipe) {
    auto database = Database::open(path, Durability::full);
    if (!database || !migrate(**database, "t", &schema, 1)) ::_exit(3);
    int64_t next = 0;
    {
        auto s = (*database)->prepare("SELECT coalesce(max(n), 0) / 2 + 1 FROM t");
        if (!s || !s->step()) ::_exit(3);
        next = s->integer(0);
    }
    std::string data(3000, 'x');
    for (;; ++next) {
        Transaction transaction(**database);
        if (!transaction.begin()) ::_exit(4);
        auto s = (*database)->prepare("INSERT INTO t VALUES(?,?,?)");
        for (int half = 0; half < 2; ++half) {
            s->reset();
            if (!s->bind(2 * next + half).bind(half).bind_blob(data).run()) ::_exit(5);
        }
        if (!transaction.commit()) ::_exit(6);
        acknowledge(pipe, next);
    }
}

}  // namespace

TEST_CASE("every transaction that was acknowledged before a kill is there, whole, and no other half") {
    TemporaryFolder folder;
    std::string path = folder.file("x.db");
    std::mt19937 random(7);
    int64_t acknowledged = 0;
    for (int round = 0; round < rounds; ++round) {
        int64_t last =
            killed_while([&](int pipe) { commit_pairs(path, pipe); }, 20 + static_cast<int>(random() % 100));
        acknowledged = std::max(acknowledged, last);
        auto database = Database::open(path, Durability::full);
        REQUIRE(database.has_value());
        REQUIRE(migrate(**database, "t", &schema, 1).has_value());
        int64_t pairs = number(**database, "SELECT coalesce(max(n), 0) / 2 FROM t");
        CHECK(pairs >= acknowledged);
        CHECK(pairs <= acknowledged + 1);
        acknowledged = pairs;
        CHECK(number(**database, "SELECT count(*) FROM t") == 2 * pairs);
        auto check = (*database)->prepare("PRAGMA integrity_check");
        REQUIRE(check->step().value());
        CHECK(check->text(0) == "ok");
    }
    CHECK(acknowledged > 0);
}

TEST_CASE("every bundle that was acknowledged before a kill is whole, and half ones are swept") {
    TemporaryFolder folder;
    auto root = folder.path() / "bundles";
    std::mt19937 random(11);
    int64_t total = 0;
    for (int round = 0; round < rounds; ++round) {
        auto work = [&](int pipe) {
            ArtifactStore store(root);
            if (!store.open()) ::_exit(3);
            for (int64_t i = round * 10'000;; ++i) {
                auto temporary = store.make_temporary();
                if (!temporary) ::_exit(4);
                for (int f = 0; f < 5; ++f)
                    test::write_file(*temporary / std::to_string(f),
                                     std::string(2000, 'x') + std::to_string(i));
                auto digest = digest_tree(*temporary);
                if (!digest || !store.commit(*temporary, *digest)) ::_exit(5);
                acknowledge(pipe, i);
            }
        };
        int64_t last = killed_while(work, 20 + static_cast<int>(random() % 100));
        if (last >= 0) total += last - round * 10'000 + 1;
        ArtifactStore store(root);
        REQUIRE(store.open().has_value());
        int64_t found = 0;
        for (const auto& entry : std::filesystem::directory_iterator(root)) {
            auto digest = digest_tree(entry.path());
            REQUIRE(digest.has_value());
            CHECK(*digest == entry.path().filename().string());
            ++found;
        }
        CHECK(found >= total);
        total = found;
    }
    CHECK(total > 0);
}
