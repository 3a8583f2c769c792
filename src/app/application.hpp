// SPDX-License-Identifier: Apache-2.0
#pragma once
// The server: everything it is made of, in the order of its dependencies, from start to the end of the drain.
// Made and run on one thread, which becomes the loop thread.

#include "config.hpp"
#include "data_directory.hpp"
#include "root_handler.hpp"

#include <hks/api/management_api.hpp>
#include <hks/auth/auth.hpp>
#include <hks/build/build_service.hpp>
#include <hks/core/async/blocking_pool.hpp>
#include <hks/core/clock.hpp>
#include <hks/dispatch/dispatcher.hpp>
#include <hks/gateway/gateway.hpp>
#include <hks/net/http_server.hpp>
#include <hks/observe/function_log_store.hpp>
#include <hks/registry/function_registry.hpp>
#include <hks/runtime/process_backend.hpp>
#include <hks/runtime/runtime_table.hpp>
#include <hks/runtime/spawner.hpp>
#include <hks/secrets/secret_store.hpp>
#include <hks/storage/artifact_store.hpp>
#include <hks/storage/database.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <string>

namespace hks::app {

/// Both database files; everything that stores something is given one of them.
struct Databases {
    std::unique_ptr<storage::Database> registry;  ///< functions, tokens, secrets, audit: durable
    std::unique_ptr<storage::Database> logs;      ///< what functions and builds print
};
Result<Databases> open_databases(const DataDirectory& directory);

class Application {
  public:
    /// `directory` is locked, `spawner` was forked before anything else; both outlive this.
    Application(const ServerConfig& config, DataDirectory& directory, runtime::Spawner& spawner,
                Databases databases);
    ~Application();
    Application(const Application&) = delete;
    Application& operator=(const Application&) = delete;

    /// Opens the stores, finds the runtimes, begins to listen, prints the start block. Blocking.
    Result<void> start();
    /// Until SIGTERM or SIGINT and the drain are over. → exit code: 0, or 1 when calls had to be cut off.
    int run();

  private:
    Result<void> open_stores();
    Result<void> open_secrets();
    Result<void> open_admin_token();
    void print_start_block() const;
    void await_signal();
    void begin_shutdown(int signal);
    void stop_dispatcher(milliseconds patience);
    void stop_builds();
    void stop_backend();
    void close_stores();

    const ServerConfig& config_;
    DataDirectory& directory_;
    SystemClock clock_;
    telemetry::Logger logger_;
    telemetry::MetricsRegistry metrics_;
    boost::asio::io_context loop_;
    Databases databases_;
    BlockingPool pool_;

    auth::ApiKeyStore keys_;
    auth::AuditLog audit_;
    secrets::SecretStore secrets_;
    registry::FunctionRegistry registry_;
    storage::ArtifactStore artifacts_;
    observe::FunctionLogStore logs_;

    runtime::RuntimeTable runtimes_;
    runtime::ProcessBackend backend_;
    build::BuildService builds_;
    dispatch::Dispatcher dispatcher_;

    gateway::Gateway gateway_;
    api::ManagementApi api_;
    RootHandler handler_;
    net::HttpServer server_;

    boost::asio::signal_set signals_;
    boost::asio::steady_timer drain_timer_;
    SteadyTime drain_deadline_{};
    bool stopping_ = false;
    bool dispatcher_stopping_ = false;
    bool clean_ = true;
};

}  // namespace hks::app
