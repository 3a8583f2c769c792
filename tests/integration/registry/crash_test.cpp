// SPDX-License-Identifier: Apache-2.0
// A SIGKILL at any moment of a deploy leaves the old or the new version active, and nothing half.
#include "support/killed_child.hpp"
#include "support/results.hpp"
#include "support/temporary_folder.hpp"

#include <hks/registry/function_registry.hpp>
#include <hks/storage/database.hpp>
#include <hks/telemetry/logger.hpp>

#include <catch2/catch.hpp>
#include <random>
#include <unistd.h>

using namespace hks;
using namespace hks::registry;
using hks::test::take;

namespace {

constexpr int rounds = 15;

struct Opened {
    SystemClock clock;
    telemetry::Logger logger{telemetry::Level::error, telemetry::Format::text};
    std::unique_ptr<storage::Database> database;
    std::unique_ptr<FunctionRegistry> registry;

    explicit Opened(const std::string& path) {
        auto opened = storage::Database::open(path, storage::Durability::full);
        if (!opened) return;
        database = std::move(*opened);
        auto wanted = std::make_unique<FunctionRegistry>(*database, clock, logger);
        if (wanted->open()) registry = std::move(wanted);
    }
};

/// Deploys a version with a trigger path of its own; returns its number.
int deploy(FunctionRegistry& registry) {
    NewVersion wanted;
    wanted.spec.runtime = {"python", "3.11"};
    wanted.spec.handler = "main.handler";
    bool known = registry.get("default", "hello").has_value();
    auto last = known ? registry.versions("default", "hello", {1, ""}) : PageOf<VersionRecord>{};
    int next = last && !last->items.empty() ? last->items[0].number + 1 : 1;
    wanted.spec.triggers[0].path = "/v" + std::to_string(next);
    auto made = known ? registry.add_version("default", "hello", wanted)
                      : registry.create("default", "hello", wanted);
    if (!made || made->second.number != next) ::_exit(4);
    if (!registry.finish_version(made->second.key, wanted.spec, "python3.11", std::string(64, 'a')))
        ::_exit(5);
    return next;
}

}  // namespace

TEST_CASE("a kill in the middle of deploys leaves one whole version active, with its own triggers") {
    test::TemporaryFolder folder;
    std::string path = folder.file("registry.db");
    std::mt19937 random(13);
    int64_t acknowledged = 0;
    for (int round = 0; round < rounds; ++round) {
        auto work = [&](int pipe) {
            Opened server(path);
            if (!server.registry) ::_exit(3);
            for (;;) test::acknowledge(pipe, deploy(*server.registry));
        };
        acknowledged =
            std::max(acknowledged, test::killed_while(work, 30 + static_cast<int>(random() % 120)));
        Opened server(path);
        REQUIRE(server.registry);
        if (!server.registry->get("default", "hello")) continue;
        auto function = take(server.registry->get("default", "hello"));
        CHECK(function.active_version >= acknowledged);
        CHECK(function.active_version <= acknowledged + round + 1);
        auto entry = server.registry->watch().get()->find("default", "hello");
        REQUIRE(entry);
        if (function.active_version == 0) continue;
        REQUIRE(entry->active);
        CHECK(entry->active->number == function.active_version);
        REQUIRE(function.triggers.size() == 1);
        CHECK(function.triggers[0].spec.path == "/v" + std::to_string(function.active_version));
        CHECK(function.status == "ready");
        for (const auto& version : take(server.registry->versions("default", "hello", {3, ""})).items)
            CHECK(version.status != "building");
    }
    CHECK(acknowledged > 0);
}
