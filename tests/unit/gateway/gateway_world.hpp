// SPDX-License-Identifier: Apache-2.0
#pragma once
// A Gateway over a real Dispatcher, with instances and connections by hand.

#include <hks/auth/auth.hpp>
#include <hks/dispatch/dispatcher.hpp>
#include <hks/gateway/gateway.hpp>
#include <hks/secrets/secret_store.hpp>
#include <hks/storage/database.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>
#include <support/fake_backend.hpp>
#include <support/fake_exchange.hpp>
#include <support/manual_clock.hpp>
#include <support/results.hpp>
#include <support/temporary_folder.hpp>

#include <memory>
#include <string>
#include <vector>

namespace hks::test {

class GatewayWorld {
  public:
    explicit GatewayWorld(gateway::GatewayOptions options = {})
        : database(take(storage::Database::open(folder.path() / "registry.db", storage::Durability::normal))),
          secrets(*database, clock),
          keys(*database, clock),
          dispatcher(loop, {}, backend, catalog, secrets, logs, clock, logger, metrics),
          gateway(loop, options, catalog, dispatcher, keys, clock, logger, metrics) {
        take(keys.open());
        dispatcher.start();
        gateway.start();
    }

    /// A function with one version; `triggers` as given.
    std::shared_ptr<registry::FunctionEntry> function(const std::string& name,
                                                      std::vector<TriggerSpec> triggers,
                                                      const std::string& workspace = "default",
                                                      int number = 1) {
        auto version = std::make_shared<Version>();
        version->key = ++last_key;
        version->number = number;
        version->function = name;
        version->workspace = workspace;
        version->spec.runtime = {"python", "3.11"};
        auto entry = std::make_shared<registry::FunctionEntry>();
        entry->id = "fn_" + name;
        entry->name = name;
        entry->workspace = workspace;
        entry->active = version;
        entry->versions[number] = version;
        for (auto& trigger : triggers) {
            if (trigger.name.empty()) trigger.name = "http";
            entry->triggers.push_back({"trg_" + trigger.name, trigger});
        }
        return entry;
    }
    void publish(const std::vector<std::shared_ptr<registry::FunctionEntry>>& entries) {
        auto next = std::make_shared<registry::Catalog>();
        for (const auto& entry : entries) next->functions[entry->workspace + "/" + entry->name] = entry;
        catalog.set(next);
        turn();
    }
    void turn() {
        loop.restart();
        loop.poll();
    }

    /// True when the request is with the dispatcher now.
    bool request(FakeExchange& exchange, std::string method, std::string path,
                 std::vector<std::pair<std::string, std::string>> headers = {}, std::string content = "") {
        exchange.prepare(std::move(method), std::move(path), std::move(headers), std::move(content));
        bool answered = false;
        meant = gateway.on_head(exchange, body_limit, answered);
        if (!meant || answered) return false;
        gateway.on_request(exchange);
        return true;
    }
    /// The call that the only instance runs now.
    const Call& running() {
        if (!backend.live.empty() && backend.live.back()->sent.empty()) backend.live.back()->become_ready();
        return *backend.live.back()->sent.at(0);
    }
    FakeInstance& instance() {
        running();
        return *backend.live.back();
    }

    TemporaryFolder folder;
    ManualClock clock;
    FakeBackend backend;
    FakeLogSink logs;
    telemetry::Logger logger{telemetry::Level::off, telemetry::Format::text};
    telemetry::MetricsRegistry metrics;
    boost::asio::io_context loop;
    registry::CatalogWatch catalog;
    std::unique_ptr<storage::Database> database;
    secrets::SecretStore secrets;
    auth::ApiKeyStore keys;
    dispatch::Dispatcher dispatcher;
    gateway::Gateway gateway;
    bool meant = false;
    size_t body_limit = 0;
    int64_t last_key = 0;
};

inline TriggerSpec http(std::string path = "", std::vector<std::string> methods = {},
                        TriggerAuth auth = TriggerAuth::inherit, std::string name = "") {
    TriggerSpec trigger;
    trigger.path = std::move(path);
    trigger.methods = std::move(methods);
    trigger.auth = auth;
    trigger.name = std::move(name);
    return trigger;
}

}  // namespace hks::test
