// SPDX-License-Identifier: Apache-2.0
#pragma once
// A registry over a real database that can be closed and opened again.

#include "support/manual_clock.hpp"
#include "support/results.hpp"
#include "support/temporary_folder.hpp"

#include <hks/registry/function_registry.hpp>
#include <hks/telemetry/logger.hpp>

#include <memory>
#include <string>

namespace hks::registry {

using test::failure;
using test::message;
using test::take;

inline TriggerSpec http(std::string path = "", std::vector<std::string> methods = {}, std::string name = "") {
    TriggerSpec trigger;
    trigger.path = std::move(path);
    trigger.methods = std::move(methods);
    trigger.name = std::move(name);
    return trigger;
}

inline NewVersion version_with(std::vector<TriggerSpec> triggers) {
    NewVersion version;
    version.spec.runtime = {"python", "3.11"};
    version.spec.handler = "main.handler";
    version.spec.triggers = std::move(triggers);
    return version;
}

struct Fixture {
    test::TemporaryFolder folder;
    test::ManualClock clock;
    std::string logged;
    telemetry::Logger logger{
        telemetry::Level::debug, telemetry::Format::text,
        [](void* out, std::string_view line) { static_cast<std::string*>(out)->append(line); }, &logged};
    std::unique_ptr<storage::Database> database;
    std::unique_ptr<FunctionRegistry> registry;

    Fixture() { start(); }
    std::string path() const { return folder.file("registry.db"); }

    void start() {
        database = take(storage::Database::open(path(), storage::Durability::full));
        registry = std::make_unique<FunctionRegistry>(*database, clock, logger);
        take(registry->open());
    }
    void restart() {
        registry.reset();
        database.reset();
        start();
    }
    /// Changes rows behind the registry's back.
    void execute(const std::string& sql) { take(database->execute(sql)); }

    FunctionRegistry* operator->() { return registry.get(); }
    std::shared_ptr<const FunctionEntry> entry(const std::string& name) {
        return registry->watch().get()->find("default", name);
    }
    int64_t create(const std::string& name, const NewVersion& version = version_with({http()})) {
        return take(registry->create("default", name, version)).second.key;
    }
    int64_t add(const std::string& name, const NewVersion& version = version_with({http()})) {
        return take(registry->add_version("default", name, version)).second.key;
    }
    Result<void> finish(int64_t key, const FunctionSpec& spec = version_with({http()}).spec) {
        return registry->finish_version(key, spec, "python3.11", std::string(64, 'a'));
    }
    void deploy(const std::string& name, const NewVersion& version = version_with({http()})) {
        bool known = registry->get("default", name).has_value();
        take(finish(known ? add(name, version) : create(name, version), version.spec));
    }
    FunctionRecord get(const std::string& name) { return take(registry->get("default", name)); }
};

}  // namespace hks::registry
