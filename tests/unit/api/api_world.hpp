// SPDX-License-Identifier: Apache-2.0
#pragma once
// A ManagementApi over real stores and a real dispatcher, with instances and connections by hand.

#include <hks/api/management_api.hpp>
#include <hks/build/build_service.hpp>
#include <hks/core/async/blocking_pool.hpp>
#include <hks/dispatch/dispatcher.hpp>
#include <hks/observe/function_log_store.hpp>
#include <hks/registry/function_registry.hpp>
#include <hks/secrets/secret_store.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <support/fake_backend.hpp>
#include <support/fake_exchange.hpp>
#include <support/results.hpp>
#include <support/temporary_folder.hpp>
#include <vector>

namespace hks::test {

using nlohmann::json;
using Headers = std::vector<std::pair<std::string, std::string>>;
inline const std::string ws = "/api/v1/workspaces/default";

class ApiWorld {
  public:
    explicit ApiWorld(api::ApiOptions options = {})
        : database(take(storage::Database::open(folder.file("registry.db"), storage::Durability::normal))),
          log_database(take(storage::Database::open(folder.file("logs.db"), storage::Durability::normal))),
          keys(*database, clock),
          audit(*database, clock),
          secrets(*database, clock),
          registry(*database, clock, logger),
          artifacts(folder.path() / "bundles"),
          logs(loop, pool, *log_database, {}, logger, metrics),
          runtimes({{"python", "3.11.2", "/usr/bin/python3.11"}}),
          builds(loop, {.work_dir = folder.file("build")}, registry, artifacts, *log_database, runtimes,
                 backend, secrets, logger, metrics),
          dispatcher(loop, {}, backend, registry.watch(), secrets, logs, clock, logger, metrics),
          api(loop, options,
              {pool, registry, builds, dispatcher, backend, runtimes, secrets, keys, audit, logs, clock,
               logger, metrics}) {
        take(keys.open());
        take(audit.open());
        take(secrets.open(std::string(32, 'k')));
        take(registry.open());
        take(artifacts.open());
        take(logs.open());
        take(builds.open());
        dispatcher.start();
        admin = take(keys.ensure_admin(""))->text;
    }

    ~ApiWorld() {
        api.stop();
        // The builds' threads may wait for the loop.
        std::atomic<bool> stopped = false;
        std::thread stopping([&] {
            builds.stop();
            stopped = true;
        });
        run_until([&] { return stopped.load(); });
        stopping.join();
        pool.stop();
        loop.restart();
        loop.poll();
        logs.stop();
    }

    /// Runs the loop until `done`; false after five seconds.
    template <class Done>
    bool run_until(Done done) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (!done()) {
            if (std::chrono::steady_clock::now() > end) return false;
            loop.restart();
            loop.run_one_for(std::chrono::milliseconds(10));
        }
        return true;
    }

    /// One request through on_head() and, when that let it pass, on_request(); does not wait for the answer.
    void begin(FakeExchange& exchange, const std::string& method, const std::string& target,
               const json& body = {}, Headers headers = {}) {
        const std::string content = body.is_null()     ? ""
                                    : body.is_string() ? body.get<std::string>()
                                                       : body.dump();
        const size_t mark = target.find('?');
        bool has_token = false;
        for (const auto& [name, value] : headers) has_token = has_token || name == "authorization";
        if (!has_token) headers.emplace_back("authorization", "Bearer " + admin);
        exchange.prepare(method, target.substr(0, mark), headers, content);
        query_ = mark == std::string::npos ? "" : target.substr(mark + 1);
        exchange.edit().query = query_;
        exchange.edit().host = "host:80";
        limit = api.on_head(exchange);
        if (exchange.answers == 0) api.on_request(exchange);
    }

    /// The same, with the answer; its body as JSON.
    json ask(FakeExchange& exchange, const std::string& method, const std::string& target,
             const json& body = {}, Headers headers = {}) {
        begin(exchange, method, target, body, std::move(headers));
        REQUIRE(run_until([&] { return exchange.answers > 0; }));
        return exchange.body.empty() ? json() : json::parse(exchange.body);
    }

    std::string token(auth::Role role, std::vector<std::string> scopes = {},
                      const std::string& workspace = "default") {
        return take(keys.create("t" + std::to_string(++tokens_), role, scopes, workspace, std::nullopt))
            .second;
    }
    static Headers bearer(const std::string& token) { return {{"authorization", "Bearer " + token}}; }

    /// A function whose version 1 is built and active.
    void make_function(const std::string& name, FunctionSpec spec = {}) {
        spec.runtime = {"python", "3.11"};
        spec.handler = "main.handle";
        auto made = take(registry.create("default", name, {spec, {}, true, ""}));
        take(registry.finish_version(made.second.key, spec, "python3.11", std::string(64, 'a')));
        loop.restart();
        loop.poll();
    }

    void write_log(const std::string& message, LogLevel level = LogLevel::info) {
        FunctionLogRecord record;
        record.time = clock.wall();
        record.workspace = "default";
        record.function = "hello";
        record.version = 1;
        record.level = level;
        record.stream = "stdout";
        record.message = message;
        logs.write(record);
    }

    std::vector<auth::AuditRecord> audited() { return take(audit.list("default", "", 100)); }

    TemporaryFolder folder;
    SystemClock clock;
    telemetry::Logger logger{telemetry::Level::off, telemetry::Format::text};
    telemetry::MetricsRegistry metrics;
    boost::asio::io_context loop;
    std::unique_ptr<storage::Database> database, log_database;
    BlockingPool pool{2, 64};
    FakeBackend backend;
    auth::ApiKeyStore keys;
    auth::AuditLog audit;
    secrets::SecretStore secrets;
    registry::FunctionRegistry registry;
    storage::ArtifactStore artifacts;
    observe::FunctionLogStore logs;
    runtime::RuntimeTable runtimes;
    build::BuildService builds;
    dispatch::Dispatcher dispatcher;
    api::ManagementApi api;
    std::string admin;
    size_t limit = 0;

  private:
    std::string query_;
    int tokens_ = 0;
};

}  // namespace hks::test
