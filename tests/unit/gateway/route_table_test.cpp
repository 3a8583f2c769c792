// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <gateway/route_table.hpp>

#include <chrono>

using namespace hks;
using namespace hks::gateway;

namespace {

std::shared_ptr<registry::FunctionEntry> entry(const std::string& workspace, const std::string& name,
                                               std::vector<std::string> paths) {
    auto out = std::make_shared<registry::FunctionEntry>();
    out->name = name;
    out->workspace = workspace;
    for (auto& path : paths) {
        TriggerSpec trigger;
        trigger.path = path;
        trigger.name = path.empty() ? "http" : path;
        out->triggers.push_back({"", trigger});
    }
    return out;
}

registry::Catalog catalog_of(const std::vector<std::shared_ptr<registry::FunctionEntry>>& entries) {
    registry::Catalog catalog;
    for (const auto& e : entries) catalog.functions[e->workspace + "/" + e->name] = e;
    return catalog;
}

std::string told(const Match& match, std::string_view path) {
    return match.told_from < path.size() ? std::string(path.substr(match.told_from)) : "/";
}

std::string parts(const Match& match, std::string_view path) {
    std::string out;
    for (size_t i = 0; i < match.parts.size(); ++i) {
        out += match.route->parameters[i] + "=" +
               std::string(path.substr(match.parts_from + match.parts[i].begin, match.parts[i].size)) + ";";
    }
    return out;
}

}  // namespace

TEST_CASE("what a path means") {
    const RouteTable table(
        catalog_of({entry("default", "hello", {""}), entry("default", "pathless", {}),
                    entry("default", "users", {"/users/{id}", "/users/me", "/users/{id}/posts/{post}"}),
                    entry("default", "files", {"/files/*", "/files/{name}/meta"}),
                    entry("default", "root", {"/"}), entry("default", "api2", {"/apis"}),
                    entry("team", "hello", {"", "/users/{name}"}), entry("team", "all", {"/*"})}),
        TriggerAuth::public_access, nullptr);
    struct Row {
        const char* path;
        Lookup lookup;
        const char* function = "";
        const char* told = "";
        const char* parts = "";
        int version = 0;
    };
    const Row rows[] = {
        {"/functions/hello", Lookup::found, "default/hello", "/"},
        {"/functions/hello/", Lookup::found, "default/hello", "/"},
        {"/functions/hello/a/b", Lookup::found, "default/hello", "/a/b"},
        {"/functions/hello@3", Lookup::found, "default/hello", "/", "", 3},
        {"/functions/hello@3/x", Lookup::found, "default/hello", "/x", "", 3},
        {"/functions/hello@staging", Lookup::unknown_version},
        {"/functions/hello@", Lookup::unknown_version},
        {"/functions/hello@0", Lookup::unknown_version},
        {"/functions/hello@-1", Lookup::unknown_version},
        {"/functions/hello@3x", Lookup::unknown_version},
        {"/functions/hello@99999999999", Lookup::unknown_version},
        {"/functions/nobody@3", Lookup::unknown_function},
        {"/functions/nobody", Lookup::unknown_function},
        {"/functions/Hello", Lookup::unknown_function},
        {"/functions/hell", Lookup::unknown_function},
        {"/functions/", Lookup::unknown_function},
        {"/functions", Lookup::nothing},
        {"/functions/pathless", Lookup::unknown_function},
        {"/functions/users", Lookup::unknown_function},
        {"/workspaces/default/functions/hello/x", Lookup::found, "default/hello", "/x"},
        {"/workspaces/team/functions/hello", Lookup::found, "team/hello", "/"},
        {"/workspaces/team/functions/hello@2/y", Lookup::found, "team/hello", "/y", "", 2},
        {"/workspaces/nobody/functions/hello", Lookup::unknown_function},
        {"/workspaces/nobody/users/7", Lookup::nothing},
        {"/workspaces/team", Lookup::nothing},
        {"/users/me", Lookup::found, "default/users", "/users/me"},
        {"/users/7", Lookup::found, "default/users", "/users/7", "id=7;"},
        {"/users/me/posts/3", Lookup::found, "default/users", "/users/me/posts/3", "id=me;post=3;"},
        {"/users/7/posts/3", Lookup::found, "default/users", "/users/7/posts/3", "id=7;post=3;"},
        {"/users/7/posts", Lookup::nothing},
        {"/users", Lookup::nothing},
        {"/users/", Lookup::nothing},
        {"/users/7/", Lookup::nothing},
        {"/files/a", Lookup::found, "default/files", "/files/a", "*=a;"},
        {"/files/a/b/c", Lookup::found, "default/files", "/files/a/b/c", "*=a/b/c;"},
        {"/files/a/meta", Lookup::found, "default/files", "/files/a/meta", "name=a;"},
        {"/files/", Lookup::found, "default/files", "/files/", "*=;"},
        {"/files", Lookup::nothing},
        {"/", Lookup::found, "default/root", "/"},
        {"/apis", Lookup::found, "default/api2", "/apis"},
        {"/api", Lookup::nothing},
        {"/workspaces/default/users/7", Lookup::nothing},
        {"/workspaces/team/users/7", Lookup::found, "team/hello", "/users/7", "name=7;"},
        {"/workspaces/team/anything/else", Lookup::found, "team/all", "/anything/else", "*=anything/else;"},
        {"/workspaces/team/functions", Lookup::nothing},
        {"/workspaces/team/ui/x", Lookup::nothing},
        {"/workspaces/team/uis", Lookup::found, "team/all", "/uis", "*=uis;"},
        {"", Lookup::nothing},
        {"*", Lookup::nothing},
    };
    Match match;
    for (const Row& row : rows) {
        INFO(row.path);
        CHECK(static_cast<int>(table.find(row.path, get_bit, match)) == static_cast<int>(row.lookup));
        if (row.lookup != Lookup::found) continue;
        CHECK(match.routes->function->workspace + "/" + match.routes->function->name == row.function);
        CHECK(told(match, row.path) == row.told);
        CHECK(parts(match, row.path) == row.parts);
        CHECK(match.version == row.version);
    }
}

TEST_CASE("a disabled trigger opens no way") {
    auto hello = entry("default", "hello", {"", "/x"});
    hello->triggers[0].spec.enabled = hello->triggers[1].spec.enabled = false;
    const RouteTable table(catalog_of({hello}), TriggerAuth::public_access, nullptr);
    Match match;
    CHECK(table.find("/functions/hello", get_bit, match) == Lookup::unknown_function);
    CHECK(table.find("/x", get_bit, match) == Lookup::nothing);
}

TEST_CASE("triggers of one path share it by method, and Allow names them all") {
    auto hello = entry("default", "hello", {"", ""});
    hello->triggers[0].spec.methods = {"GET"};
    hello->triggers[1].spec.methods = {"POST", "PUT"};
    hello->triggers[1].spec.auth = TriggerAuth::token;
    const FunctionRoutes routes(hello, TriggerAuth::public_access);
    CHECK_FALSE(routes.by_name.find(method_bit("GET"))->needs_token);
    CHECK_FALSE(routes.by_name.find(method_bit("HEAD"))->needs_token);
    CHECK(routes.by_name.find(method_bit("PUT"))->needs_token);
    CHECK(routes.by_name.find(method_bit("DELETE")) == nullptr);
    CHECK(routes.by_name.find(method_bit("PROPFIND")) == nullptr);
    CHECK(allow_text(routes.by_name.methods()) == "GET, HEAD, POST, PUT");
}

TEST_CASE("one pattern may have a function for each method, whatever its parameters are called") {
    const auto with = [](const std::string& name, std::vector<TriggerSpec> triggers) {
        auto out = entry("default", name, {});
        for (auto& trigger : triggers) out->triggers.push_back({"", trigger});
        return out;
    };
    const auto on = [](const std::string& path, std::vector<std::string> methods) {
        TriggerSpec trigger;
        trigger.name = "t";
        trigger.path = path;
        trigger.methods = std::move(methods);
        return trigger;
    };
    const RouteTable table(
        catalog_of({with("reads", {on("/z", {"GET"}), on("/x/{id}", {"GET"}), on("/s/{id}", {"GET"}),
                                   on("/w/{id}", {"GET"}), on("/w/{nm}", {"PUT"}), on("/h", {"GET"})}),
                    with("writes", {on("/z", {"PUT"}), on("/x/{key}", {"POST"}), on("/s/me", {"POST"}),
                                    on("/h", {"HEAD"})}),
                    with("rest", {on("/s/*", {"DELETE"}), on("/w/*", {})})}),
        TriggerAuth::public_access, nullptr);
    struct Row {
        const char *method, *path;
        Lookup lookup;
        const char *meaning, *parts = "";  ///< function, or what Allow says
    };
    const Row rows[] = {
        {"GET", "/z", Lookup::found, "reads"},
        {"HEAD", "/z", Lookup::found, "reads"},
        {"PUT", "/z", Lookup::found, "writes"},
        {"PATCH", "/z", Lookup::wrong_method, "GET, HEAD, PUT"},
        {"GET", "/x/1", Lookup::found, "reads", "id=1;"},
        {"POST", "/x/1", Lookup::found, "writes", "key=1;"},
        {"GET", "/w/1", Lookup::found, "reads", "id=1;"},
        {"PUT", "/w/1", Lookup::found, "reads", "nm=1;"},
        {"DELETE", "/w/1", Lookup::found, "rest", "*=1;"},
        {"POST", "/s/me", Lookup::found, "writes"},
        {"GET", "/s/me", Lookup::found, "reads", "id=me;"},
        {"DELETE", "/s/me", Lookup::found, "rest", "*=me;"},
        {"PUT", "/s/me", Lookup::wrong_method, "GET, HEAD, POST, DELETE"},
        {"PUT", "/s/me/x", Lookup::wrong_method, "DELETE"},
        {"GET", "/h", Lookup::found, "reads"},
        {"HEAD", "/h", Lookup::found, "writes"},
        {"GET", "/none", Lookup::nothing, ""},
    };
    Match match;
    for (const Row& row : rows) {
        INFO(row.method << " " << row.path);
        REQUIRE(static_cast<int>(table.find(row.path, method_bit(row.method), match)) ==
                static_cast<int>(row.lookup));
        if (row.lookup == Lookup::wrong_method) CHECK(allow_text(match.allowed) == row.meaning);
        if (row.lookup != Lookup::found) continue;
        CHECK(match.routes->function->name == row.meaning);
        CHECK(parts(match, row.path) == row.parts);
        REQUIRE(match.target != nullptr);
    }
}

TEST_CASE("what belongs to the platform is no catch-all's") {
    const RouteTable table(catalog_of({entry("default", "all", {"/*", "/{a}/{b}"})}),
                           TriggerAuth::public_access, nullptr);
    Match match;
    for (const char* path : {"/ui", "/ui/", "/ui/x", "/functions", "/workspaces", "/workspaces/x"}) {
        INFO(path);
        CHECK(table.find(path, get_bit, match) == Lookup::nothing);
    }
    for (const char* path : {"/uis", "/function", "/workspace/x", "/u", "/"}) {
        INFO(path);
        CHECK(table.find(path, get_bit, match) == Lookup::found);
    }
}

TEST_CASE("a trigger without a choice has the server's default auth") {
    auto hello = entry("default", "hello", {"", "/x"});
    hello->triggers[1].spec.auth = TriggerAuth::public_access;
    const FunctionRoutes routes(hello, TriggerAuth::token);
    CHECK(routes.by_name.targets[0].needs_token);
    CHECK_FALSE(routes.by_path[0].second.targets[0].needs_token);
}

TEST_CASE("a rebuilt table keeps what did not change") {
    auto a = entry("default", "a", {""}), b = entry("default", "b", {""});
    const RouteTable before(catalog_of({a, b}), TriggerAuth::public_access, nullptr);
    auto changed = entry("default", "b", {""});
    const RouteTable after(catalog_of({a, changed}), TriggerAuth::public_access, &before);
    Match first, second;
    before.find("/functions/a", get_bit, first);
    after.find("/functions/a", get_bit, second);
    CHECK(first.routes == second.routes);
    before.find("/functions/b", get_bit, first);
    after.find("/functions/b", get_bit, second);
    CHECK(first.routes != second.routes);
    CHECK(second.routes->function == changed);
}

TEST_CASE("ten thousand functions are routed and rebuilt in no time") {
    std::vector<std::shared_ptr<registry::FunctionEntry>> entries;
    for (int i = 0; i < 10'000; ++i)
        entries.push_back(
            entry("default", "function-" + std::to_string(i), {"", "/own/" + std::to_string(i)}));
    const auto catalog = catalog_of(entries);
    const RouteTable table(catalog, TriggerAuth::public_access, nullptr);
    const auto began = std::chrono::steady_clock::now();
    const RouteTable again(catalog, TriggerAuth::public_access, &table);
    const auto rebuilt = std::chrono::steady_clock::now() - began;
    CHECK(again.size() == 10'000);
    Match match;
    CHECK(again.find("/functions/function-9999", get_bit, match) == Lookup::found);
    CHECK(again.find("/own/77", get_bit, match) == Lookup::found);
    CHECK(match.routes->function->name == "function-77");
    // Generous: an unoptimised, sanitized build on a busy machine passes too.
    CHECK(rebuilt < std::chrono::seconds(2));
}
