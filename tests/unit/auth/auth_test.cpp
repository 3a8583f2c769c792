// SPDX-License-Identifier: Apache-2.0
#include "support/manual_clock.hpp"
#include "support/results.hpp"
#include "support/temporary_folder.hpp"

#include <hks/auth/auth.hpp>
#include <hks/auth/platform_token.hpp>

#include <atomic>
#include <catch2/catch.hpp>
#include <set>
#include <thread>

using namespace hks;
using namespace hks::auth;
using hks::test::failure;
using hks::test::message;
using hks::test::take;

namespace {

struct Fixture {
    test::TemporaryFolder folder;
    test::ManualClock clock;
    std::unique_ptr<storage::Database> database;
    std::unique_ptr<ApiKeyStore> keys;

    Fixture() { start(); }
    void start() {
        database = take(storage::Database::open(folder.file("registry.db"), storage::Durability::full));
        keys = std::make_unique<ApiKeyStore>(*database, clock);
        take(keys->open());
    }
    void restart() {
        keys.reset();
        database.reset();
        start();
    }
    std::string make(const std::string& name, std::optional<milliseconds> lifetime = std::nullopt) {
        return take(keys->create(name, Role::developer, {}, "default", lifetime)).second;
    }
    Result<Principal> ask(const std::string& token) { return keys->authenticate("Bearer " + token); }
};

Principal principal(Role role, std::string workspace = "", std::vector<std::string> scopes = {}) {
    return {"tok_x", "x", role, std::move(workspace), std::move(scopes)};
}

}  // namespace

TEST_CASE("roles allow what the table says") {
    constexpr Action actions[]{
        Action::read,       Action::write, Action::invoke, Action::manage_tokens, Action::manage_workspaces,
        Action::read_server};
    struct Row {
        Principal who;
        std::string may;  ///< one letter an action: y n
    };
    const Row rows[]{
        {principal(Role::none), "nnnnnn"},
        {principal(Role::none, "", {"invoke"}), "nnynnn"},
        {principal(Role::viewer), "ynnnnn"},
        {principal(Role::viewer, "", {"invoke"}), "ynynnn"},
        {principal(Role::developer), "yyynnn"},
        {principal(Role::admin), "yyyyyy"},
        {principal(Role::none, "", {"emit"}), "nnnnnn"},
    };
    for (const auto& row : rows)
        for (size_t i = 0; i < std::size(actions); ++i) {
            INFO(role_name(row.who.role) << ", action " << i);
            CHECK(allowed(row.who, actions[i], "default") == (row.may[i] == 'y'));
        }
}

TEST_CASE("a token of one workspace may nothing in another, nor for the whole server") {
    auto admin = principal(Role::admin, "a");
    CHECK(allowed(admin, Action::manage_tokens, "a"));
    CHECK(!allowed(admin, Action::read, "b"));
    CHECK(!allowed(admin, Action::manage_workspaces, ""));
    CHECK(!allowed(principal(Role::none, "a", {"invoke"}), Action::invoke, "b"));
}

TEST_CASE("role names go both ways") {
    for (Role role : {Role::none, Role::viewer, Role::developer, Role::admin})
        CHECK(role_from_name(role_name(role)) == role);
    CHECK(!role_from_name("root"));
}

TEST_CASE("a token is known by its text, also after a restart") {
    Fixture f;
    std::string token = f.make("ci");
    CHECK(token.size() == 47);
    CHECK(token.starts_with("hks_"));
    CHECK(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
          token.npos);
    CHECK(take(f.ask(token)).name == "ci");
    f.restart();
    auto who = take(f.ask(token));
    CHECK(who.name == "ci");
    CHECK(who.role == Role::developer);
    CHECK(who.workspace == "default");
}

TEST_CASE("no two tokens are alike") {
    Fixture f;
    std::set<std::string> seen;
    for (int i = 0; i < 50; ++i) seen.insert(f.make("t" + std::to_string(i)));
    CHECK(seen.size() == 50);
}

TEST_CASE("the text of a token is not in the database") {
    Fixture f;
    std::string token = f.make("ci");
    f.keys.reset();
    f.database.reset();
    std::string bytes = test::read_file(f.folder.file("registry.db"));
    CHECK(bytes.find(token.substr(4)) == bytes.npos);
    CHECK(bytes.find("tok_") != bytes.npos);
}

TEST_CASE("authorization headers") {
    Fixture f;
    std::string token = f.make("ci");
    struct Row {
        std::string header, code;  ///< "" = welcome
    };
    std::string other = token;
    other[20] = other[20] == 'a' ? 'b' : 'a';
    const Row rows[]{
        {"Bearer " + token, ""},
        {"bearer " + token, ""},
        {"BEARER  " + token + " ", ""},
        {"", "AUTH_REQUIRED"},
        {token, "AUTH_INVALID_TOKEN"},
        {"Bearer", "AUTH_INVALID_TOKEN"},
        {"Bearer ", "AUTH_INVALID_TOKEN"},
        {"Bearer " + other, "AUTH_INVALID_TOKEN"},
        {"Bearer " + token + "x", "AUTH_INVALID_TOKEN"},
        {"Bearer " + token.substr(0, 46), "AUTH_INVALID_TOKEN"},
        {"Basic " + token, "AUTH_INVALID_TOKEN"},
        {"Bearer " + token + "," + token, "AUTH_INVALID_TOKEN"},
    };
    for (const auto& row : rows) {
        INFO(row.header);
        auto who = f.keys->authenticate(row.header);
        if (row.code.empty())
            CHECK(who.has_value());
        else
            CHECK(failure(who) == row.code);
    }
}

TEST_CASE("platform tokens are told from the tokens of a function's own users") {
    const std::string token = "hks_" + std::string(40, 'a') + "-_9";
    for (const std::string& value :
         {std::string("Bearer hks_x"), std::string("bearer hks_x"), "Bearer " + token, "Token  " + token, token,
          "Key id=1, secret=\"" + token + "\"", "hks_x " + token}) {
        INFO(value);
        CHECK(holds_platform_token(value));
    }
    for (const std::string& value :
         {std::string("Bearer eyJhbGciOi"), std::string("hks_x"), std::string(), std::string("Basic dTpw"),
          "Bearer x" + token, "Bearer a.b." + token + "9", token.substr(1)}) {
        INFO(value);
        CHECK_FALSE(holds_platform_token(value));
    }
    CHECK(may_hold_token("authorization"));
    CHECK(may_hold_token("x-api-key"));
    CHECK_FALSE(may_hold_token("x-authorization"));
}

TEST_CASE("a token still counts until it is revoked or has expired") {
    Fixture f;
    const auto lasting = take(f.keys->create("a", Role::viewer, {}, "default", std::nullopt)).first;
    const auto short_lived = take(f.keys->create("b", Role::viewer, {}, "default", milliseconds(1000))).first;
    CHECK(f.keys->is_valid(lasting.id));
    CHECK(f.keys->is_valid(short_lived.id));
    CHECK_FALSE(f.keys->is_valid("tok_nobody"));
    f.clock.advance(std::chrono::milliseconds(1001));
    take(f.keys->revoke(lasting.id, "default"));
    CHECK_FALSE(f.keys->is_valid(lasting.id));
    CHECK_FALSE(f.keys->is_valid(short_lived.id));
}

TEST_CASE("a token that expired says so") {
    Fixture f;
    std::string token = f.make("ci", std::chrono::hours(1));
    f.clock.advance(std::chrono::minutes(59));
    CHECK(f.ask(token).has_value());
    f.clock.advance(std::chrono::minutes(1));
    CHECK(failure(f.ask(token)) == "AUTH_INVALID_TOKEN");
    CHECK(message(f.ask(token)).find("'ci' expired at 20") != std::string::npos);
    f.restart();
    CHECK(message(f.ask(token)).find("expired") != std::string::npos);
}

TEST_CASE("a revoked token is unknown at once and for good") {
    Fixture f;
    std::string one = f.make("one"), two = f.make("two");
    take(f.keys->revoke("one", "default"));
    CHECK(failure(f.ask(one)) == "AUTH_INVALID_TOKEN");
    CHECK(failure(f.keys->revoke("one", "default")) == "TOKEN_NOT_FOUND");
    f.restart();
    CHECK(failure(f.ask(one)) == "AUTH_INVALID_TOKEN");
    take(f.keys->revoke(take(f.ask(two)).token_id, "default"));
    CHECK(f.keys->list().empty());
}

TEST_CASE("a token is revoked in its own workspace only") {
    Fixture f;
    f.make("one");
    CHECK(failure(f.keys->revoke("one", "other")) == "TOKEN_NOT_FOUND");
    CHECK(failure(f.keys->revoke("one", "")) == "TOKEN_NOT_FOUND");
    CHECK(f.keys->list().size() == 1);
}

TEST_CASE("bad tokens are not made") {
    Fixture f;
    f.make("ci");
    auto make = [&](const std::string& name, Role role, std::vector<std::string> scopes,
                    milliseconds lifetime) {
        return f.keys->create(name, role, scopes, "default", lifetime);
    };
    CHECK(failure(make("ci", Role::viewer, {}, milliseconds(1))) == "ALREADY_EXISTS");
    CHECK(failure(make("A B", Role::viewer, {}, milliseconds(1))) == "VALIDATION_ERROR");
    CHECK(failure(make("x", Role::none, {}, milliseconds(1))) == "VALIDATION_ERROR");
    CHECK(failure(make("x", Role::viewer, {"root"}, milliseconds(1))) == "VALIDATION_ERROR");
    CHECK(failure(make("x", Role::viewer, {}, milliseconds(0))) == "VALIDATION_ERROR");
    CHECK(make("x", Role::none, {"invoke"}, milliseconds(1)).has_value());
    CHECK(f.keys->create("ci", Role::viewer, {}, "other", std::nullopt).has_value());
}

TEST_CASE("the first start makes one admin token, later ones none") {
    Fixture f;
    auto made = take(f.keys->ensure_admin(""));
    REQUIRE(made);
    CHECK_FALSE(made->replaces);
    CHECK(take(f.ask(made->text)).role == Role::admin);
    CHECK(take(f.ask(made->text)).workspace.empty());
    CHECK(!take(f.keys->ensure_admin(made->text)));
    f.restart();
    CHECK(!take(f.keys->ensure_admin(made->text)));
}

TEST_CASE("an admin token of a start whose text was lost is replaced at the next one") {
    Fixture f;
    auto first = take(f.keys->ensure_admin(""));
    const std::string other = take(f.keys->create("ops", Role::admin, {}, "", std::nullopt)).second;
    for (const std::string& kept : {std::string(), std::string("hks_stale"), f.make("lesser")}) {
        INFO(kept);
        f.restart();
        auto made = take(f.keys->ensure_admin(kept));
        REQUIRE(made);
        CHECK(made->replaces);
        CHECK(failure(f.ask(first->text)) == "AUTH_INVALID_TOKEN");
        CHECK(take(f.ask(made->text)).name == "admin");
        CHECK(f.ask(other).has_value());
        first = made;
    }
    CHECK(f.keys->list().size() == 3);
    f.restart();
    CHECK(!take(f.keys->ensure_admin(first->text)));
    CHECK(!take(f.keys->ensure_admin(other)));
}

TEST_CASE("whoever revoked the first admin token and has another one gets no new one") {
    Fixture f;
    take(f.keys->ensure_admin(""));
    take(f.keys->create("ops", Role::admin, {}, "", std::nullopt));
    take(f.keys->revoke("admin", ""));
    take(f.keys->create("admin", Role::admin, {}, "", std::nullopt));
    f.restart();
    CHECK(!take(f.keys->ensure_admin("")));
    CHECK(f.keys->list().size() == 2);
}

TEST_CASE("the token that an older server made at its first start is known again") {
    Fixture f;
    const std::string old = take(f.keys->create("admin", Role::admin, {}, "", std::nullopt)).second;
    take(
        f.database->execute("DROP TABLE kept_token; DELETE FROM schema_migrations WHERE component = 'tokens' "
                            "AND number = 2"));
    f.restart();
    CHECK(!take(f.keys->ensure_admin(old)));
    auto made = take(f.keys->ensure_admin(""));
    REQUIRE(made);
    CHECK(made->replaces);
    CHECK(!f.ask(old).has_value());
}

TEST_CASE("a server without a usable admin token gets one at its next start") {
    Fixture f;
    take(f.keys->create("admin", Role::admin, {}, "", std::chrono::hours(1)));
    take(f.keys->create("lesser", Role::admin, {}, "default", std::nullopt));
    f.clock.advance(std::chrono::hours(2));
    auto made = take(f.keys->ensure_admin(""));
    REQUIRE(made);
    CHECK(take(f.ask(made->text)).name == "admin-2");
}

TEST_CASE("the time of last use is kept over a restart once it was flushed") {
    Fixture f;
    std::string token = f.make("ci");
    CHECK(!f.keys->list()[0].last_used_at);
    f.clock.advance(std::chrono::seconds(5));
    take(f.ask(token));
    auto used = f.keys->list()[0].last_used_at;
    CHECK(used == f.clock.wall());
    f.keys->flush_last_used();
    f.restart();
    CHECK(f.keys->list()[0].last_used_at == used);
}

TEST_CASE("a token whose row was changed on the disk may nothing, and can be revoked") {
    for (std::string change : {"role = 'admin'", "workspace = ''", "expires_at = NULL", "scopes = 'invoke'",
                               "digest = zeroblob(32)", "name = 'cj'"}) {
        INFO(change);
        Fixture f;
        std::string token = f.make("ci", std::chrono::hours(1));
        std::string other = f.make("other");
        take(f.database->execute("UPDATE tokens SET " + change + " WHERE name = 'ci'"));
        f.restart();
        CHECK(failure(f.ask(token)) == "AUTH_INVALID_TOKEN");
        CHECK(f.ask(other).has_value());
        auto list = f.keys->list();
        REQUIRE(list.size() == 2);
        const auto& damaged = list[0].name == "other" ? list[1] : list[0];
        CHECK(damaged.role == Role::none);
        CHECK(damaged.scopes.empty());
        take(f.keys->revoke(damaged.id, damaged.workspace));
        CHECK(f.keys->list().size() == 1);
    }
}

TEST_CASE("a damaged admin token is replaced at the next start") {
    Fixture f;
    auto made = take(f.keys->ensure_admin(""));
    take(f.database->execute("UPDATE tokens SET name = 'root'"));
    f.restart();
    CHECK(take(f.keys->ensure_admin(made->text)).has_value());
}

TEST_CASE("tokens can be used, made and revoked by many threads") {
    Fixture f;
    std::string token = f.make("ci");
    std::atomic<int> refused = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i)
                if (!f.ask(token)) ++refused;
        });
    threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) {
            (void)f.keys->create("t" + std::to_string(i), Role::viewer, {}, "default", std::nullopt);
            f.keys->flush_last_used();
            (void)f.keys->revoke("t" + std::to_string(i), "default");
        }
    });
    for (auto& thread : threads) thread.join();
    CHECK(refused == 0);
    CHECK(f.keys->list().size() == 1);
}
