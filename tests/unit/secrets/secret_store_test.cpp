// SPDX-License-Identifier: Apache-2.0
#include "secrets/sealed.hpp"
#include "support/manual_clock.hpp"
#include "support/results.hpp"
#include "support/temporary_folder.hpp"

#include <hks/secrets/secret_store.hpp>
#include <hks/storage/crc32c.hpp>

#include <atomic>
#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <thread>

using namespace hks;
using namespace hks::secrets;
using hks::test::failure;
using hks::test::message;
using hks::test::take;

namespace {

using Data = std::map<std::string, std::string>;
using Variables = std::vector<std::pair<std::string, std::string>>;

const std::string key_one(32, '\1');
const std::string key_two(32, '\2');

struct Fixture {
    test::TemporaryFolder folder;
    test::ManualClock clock;
    std::unique_ptr<storage::Database> database;
    std::unique_ptr<SecretStore> store;

    explicit Fixture(const std::string& key = key_one) {
        database = take(storage::Database::open(folder.file("registry.db"), storage::Durability::full));
        take(reopen(key));
    }
    Result<void> reopen(const std::string& key) {
        store = std::make_unique<SecretStore>(*database, clock);
        return store->open(key);
    }
    void put(const std::string& name, const Data& data, bool replace = false) {
        take(store->put("default", name, data, replace));
    }
    Result<Variables> resolve(const std::string& name, const std::string& key) {
        return store->resolve("default", {{"ENV", name, key}});
    }
};

}  // namespace

TEST_CASE("a sealed value opens with its key and context only") {
    std::string sealed = take(seal(key_one, "clear", "a|b"));
    CHECK(sealed.find("clear") == sealed.npos);
    CHECK(take(unseal(key_one, sealed, "a|b")).view() == "clear");
    CHECK(!unseal(key_two, sealed, "a|b").has_value());
    CHECK(!unseal(key_one, sealed, "a|c").has_value());
    CHECK(!unseal(key_one, sealed.substr(1), "a|b").has_value());
    CHECK(!unseal(key_one, "", "a|b").has_value());
    CHECK(!seal("short", "clear", "").has_value());
    CHECK(take(unseal(key_one, take(seal(key_one, "", "")), "")).view().empty());
}

TEST_CASE("every flipped bit of a sealed value is noticed") {
    std::string sealed = take(seal(key_one, "clear", "x"));
    for (size_t i = 0; i < sealed.size() * 8; ++i) {
        std::string bad = sealed;
        bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
        if (unseal(key_one, bad, "x")) FAIL("bit " << i);
    }
}

TEST_CASE("the same text is sealed differently each time") {
    CHECK(take(seal(key_one, "clear", "x")) != take(seal(key_one, "clear", "x")));
}

TEST_CASE("a secret is handed out as environment variables, also after a restart") {
    Fixture f;
    f.put("db", {{"url", "postgres://x"}, {"empty", ""}});
    std::vector<SecretRef> refs{{"URL", "db", "url"}, {"E", "db", "empty"}, {"URL2", "db", "url"}};
    Variables wanted{{"URL", "postgres://x"}, {"E", ""}, {"URL2", "postgres://x"}};
    CHECK(take(f.store->resolve("default", refs)) == wanted);
    take(f.reopen(key_one));
    CHECK(take(f.store->resolve("default", refs)) == wanted);
    CHECK(take(f.store->resolve("default", {})).empty());
}

TEST_CASE("a missing secret and a missing key are named") {
    Fixture f;
    f.put("db", {{"url", "x"}});
    CHECK(failure(f.resolve("nothing", "url")) == "SECRET_NOT_FOUND");
    CHECK(message(f.resolve("nothing", "url")).find("'nothing'") != std::string::npos);
    CHECK(failure(f.resolve("db", "password")) == "SECRET_NOT_FOUND");
    CHECK(message(f.resolve("db", "password")).find("'password'") != std::string::npos);
    CHECK(failure(f.store->resolve("other", {{"E", "db", "url"}})) == "SECRET_NOT_FOUND");
}

TEST_CASE("what people see of a secret are its keys") {
    Fixture f;
    f.put("db", {{"url", "x"}, {"password", "y"}});
    f.put("api", {{"key", "z"}});
    auto list = take(f.store->list("default"));
    REQUIRE(list.size() == 2);
    CHECK(list[0].name == "api");
    CHECK(list[1].keys == std::vector<std::string>{"password", "url"});
    CHECK(list[1].created_at == f.clock.wall());
    CHECK(take(f.store->get("default", "api")).keys == std::vector<std::string>{"key"});
    CHECK(take(f.store->list("other")).empty());
    CHECK(failure(f.store->get("default", "nothing")) == "SECRET_NOT_FOUND");
}

TEST_CASE("clear text is nowhere in the files") {
    Fixture f;
    f.put("db", {{"url", "a-very-clear-text"}});
    f.store.reset();
    f.database.reset();
    std::string bytes = test::read_file(f.folder.file("registry.db"));
    CHECK(bytes.find("very-clear") == bytes.npos);
    CHECK(bytes.find(key_one) == bytes.npos);
}

TEST_CASE("a secret is replaced as a whole and only on request") {
    Fixture f;
    f.put("db", {{"url", "1"}, {"old", "2"}});
    auto created = take(f.store->get("default", "db")).created_at;
    f.clock.advance(std::chrono::seconds(1));
    CHECK(failure(f.store->put("default", "db", {{"url", "3"}}, false)) == "ALREADY_EXISTS");
    f.put("db", {{"url", "3"}}, true);
    CHECK(take(f.resolve("db", "url"))[0].second == "3");
    CHECK(failure(f.resolve("db", "old")) == "SECRET_NOT_FOUND");
    CHECK(take(f.store->get("default", "db")).created_at == created);
    take(f.reopen(key_one));
    CHECK(take(f.resolve("db", "url"))[0].second == "3");
}

TEST_CASE("a removed secret is gone, and can be made again") {
    Fixture f;
    f.put("db", {{"url", "1"}});
    take(f.store->remove("default", "db"));
    CHECK(failure(f.resolve("db", "url")) == "SECRET_NOT_FOUND");
    CHECK(failure(f.store->remove("default", "db")) == "SECRET_NOT_FOUND");
    f.put("db", {{"url", "2"}});
    take(f.reopen(key_one));
    CHECK(take(f.resolve("db", "url"))[0].second == "2");
}

TEST_CASE("secrets that cannot be kept are refused with the field") {
    Fixture f;
    Data many;
    for (int i = 0; i < 17; ++i) many["k" + std::to_string(i)] = std::string(64 * 1024, 'x');
    struct Row {
        std::string name;
        Data data;
        std::string field;
    };
    const Row rows[]{
        {"Db", {{"k", "v"}}, "name"},
        {"db", {}, "data"},
        {"db", {{"", "v"}}, "data"},
        {"db", {{"a/b", "v"}}, "data"},
        {"db", {{"a|b", "v"}}, "data"},
        {"db", {{std::string(254, 'k'), "v"}}, "data"},
        {"db", {{"k", std::string(64 * 1024 + 1, 'x')}}, "data.k"},
        {"db", {{"k", std::string("a\0b", 3)}}, "data.k"},
        {"db", many, "data"},
    };
    for (const auto& row : rows) {
        auto done = f.store->put("default", row.name, row.data, false);
        INFO(row.field);
        CHECK(failure(done) == "VALIDATION_ERROR");
        REQUIRE(!done.error().fields.empty());
        CHECK(done.error().fields[0].field == row.field);
    }
    f.put("db", {{std::string(253, 'k'), std::string(64 * 1024, 'x')}, {"a.b-c_D", "v"}});
}

TEST_CASE("a wrong master key is told from a right one before anything is touched") {
    Fixture f;
    f.put("db", {{"url", "1"}});
    auto wrong = f.reopen(key_two);
    CHECK(message(wrong).find("master key does not fit the secrets in this data directory") !=
          std::string::npos);
    auto none = f.reopen("");
    CHECK(message(none).find("no master key was given") != std::string::npos);
    CHECK(failure(f.reopen("short")) == "VALIDATION_ERROR");
    take(f.reopen(key_one));
    CHECK(take(f.resolve("db", "url"))[0].second == "1");
}

TEST_CASE("without secrets another master key is as good as the first") {
    Fixture f;
    f.put("db", {{"url", "1"}});
    take(f.store->remove("default", "db"));
    take(f.reopen(key_two));
    f.put("db", {{"url", "2"}});
    take(f.reopen(key_two));
    CHECK(failure(f.reopen(key_one)) == "PROVIDER_ERROR");
}

TEST_CASE("a server without a master key starts but keeps no secrets") {
    Fixture f("");
    CHECK(message(f.store->put("default", "db", {{"k", "v"}}, false)).find("no master key") !=
          std::string::npos);
}

TEST_CASE("rows that were changed or exchanged from outside give nothing away and are named") {
    Fixture f;
    f.put("one", {{"a", "1"}, {"b", "2"}});
    f.put("two", {{"a", "3"}});
    SECTION("a flipped bit") {
        take(f.database->execute(
            "UPDATE secret_values SET sealed = zeroblob(length(sealed)) WHERE version = 1"));
        take(f.reopen(key_one));
        CHECK(failure(f.resolve("one", "a")) == "PROVIDER_ERROR");
        CHECK(message(f.resolve("one", "a")).find("table 'secret_values'") != std::string::npos);
        CHECK(take(f.resolve("two", "a"))[0].second == "3");
    }
    SECTION("a value moved to another secret, with a checksum that fits") {
        auto s = take(f.database->prepare("SELECT sealed FROM secret_values WHERE version = 2"));
        REQUIRE(take(s.step()));
        std::string sealed = s.text(0);
        s.reset();
        auto update = take(f.database->prepare(
            "UPDATE secret_values SET sealed = ?, crc = ? WHERE version = 1 AND key = 'a'"));
        update.bind_blob(sealed).bind(storage::RowSum().add(1).add("a").add(sealed).value());
        take(update.run());
        take(f.reopen(key_one));
        CHECK(message(f.resolve("one", "a")).find("changed from outside") != std::string::npos);
        CHECK(take(f.resolve("one", "b"))[0].second == "2");
    }
    SECTION("a changed row of the secret") {
        take(f.database->execute("UPDATE secrets SET created_at = created_at + 1 WHERE name = 'one'"));
        take(f.reopen(key_one));
        CHECK(message(f.resolve("one", "a")).find("table 'secrets'") != std::string::npos);
        f.put("one", {{"a", "again"}}, true);
        CHECK(take(f.resolve("one", "a"))[0].second == "again");
    }
}

TEST_CASE("the master key's file is made once, private, and read again") {
    test::TemporaryFolder folder;
    std::string path = folder.file("master-key");
    std::string key = take(SecretStore::load_or_create_master_key(path, true));
    CHECK(key.size() == 32);
    struct stat status;
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(take(SecretStore::load_or_create_master_key(path, true)) == key);
    CHECK(take(SecretStore::load_or_create_master_key(path, false)) == key);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a master key's file that is not as it should be is refused with what to do") {
    test::TemporaryFolder folder;
    std::string path = folder.file("master-key");
    auto load = [&] { return SecretStore::load_or_create_master_key(path, false); };
    CHECK(message(load()).find("missing") != std::string::npos);
    test::write_file(path, std::string(64, 'a'));
    ::chmod(path.c_str(), 0640);
    CHECK(message(load()).find("chmod 600") != std::string::npos);
    ::chmod(path.c_str(), 0600);
    CHECK(take(load()) == std::string(32, '\xaa'));
    for (std::string text : {"", "abc", "zz", "g"}) {
        test::write_file(path, text.size() == 1 ? std::string(64, 'g') : text);
        CHECK(message(load()).find("64 hex digits") != std::string::npos);
    }
    test::write_file(path, std::string(66, 'a'));
    CHECK(!load().has_value());
    std::filesystem::remove(path);
    std::filesystem::create_symlink("/dev/zero", path);
    CHECK(!load().has_value());
}

TEST_CASE("a master key is made until a secret needs the one that was there") {
    test::TemporaryFolder folder;
    test::ManualClock clock;
    auto database = take(storage::Database::open(folder.file("registry.db"), storage::Durability::full));
    const std::string path = folder.file("master-key");
    const auto open = [&](const std::string& key_file) {
        SecretStore store(*database, clock);
        return store.open_with_key_file(key_file);
    };
    // A start that is cut short, at every step that leaves something behind.
    CHECK_FALSE(open(folder.file("nosuch/key")).has_value());
    CHECK_FALSE(std::filesystem::exists(path));
    take(open(path));
    std::filesystem::remove(path);
    take(open(path));
    {
        SecretStore store(*database, clock);
        take(store.open_with_key_file(path));
        take(store.put("default", "db", {{"url", "1"}}, false));
    }
    take(open(path));
    std::filesystem::rename(path, folder.file("away"));
    CHECK(message(open(path)).find("Restore it from a backup") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(path));
    take(open(folder.file("away")));
}

TEST_CASE("secrets are handed out while others are written") {
    Fixture f;
    f.put("db", {{"url", "1"}});
    std::atomic<int> wrong = 0;
    std::thread reader([&] {
        for (int i = 0; i < 2000; ++i) {
            auto got = f.resolve("db", "url");
            if (!got || got->at(0).second.size() != 1) ++wrong;
        }
    });
    for (int i = 0; i < 30; ++i) f.put("db", {{"url", std::to_string(i % 10)}}, true);
    reader.join();
    CHECK(wrong == 0);
}
