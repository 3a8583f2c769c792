// SPDX-License-Identifier: Apache-2.0
#pragma once
// The office: everything under /api/v1, and /healthz /readyz /metrics /openapi.json /schema/function.json.
// Owned by Application; on_head() and on_request() on the loop. Handlers that block run on the BlockingPool
// and post their answer back; log streams and invocations live on the loop. stop() ends every stream; the
// pool must have stopped before this is destroyed.

#include <hks/auth/auth.hpp>
#include <hks/core/function.hpp>
#include <hks/net/http_server.hpp>

#include <boost/asio/io_context.hpp>

#include <memory>

namespace hks {
class BlockingPool;
}
namespace hks::telemetry {
class Logger;
class MetricsRegistry;
}  // namespace hks::telemetry
namespace hks::observe {
class FunctionLogStore;
}
namespace hks::secrets {
class SecretStore;
}
namespace hks::registry {
class FunctionRegistry;
}
namespace hks::runtime {
class RuntimeBackend;
class RuntimeTable;
}  // namespace hks::runtime
namespace hks::build {
class BuildService;
}
namespace hks::dispatch {
class Dispatcher;
}

namespace hks::api {

struct ApiOptions {
    size_t max_body = 1024 * 1024;           ///< of a request that carries no code
    size_t max_package = 64 * 1024 * 1024;   ///< of a request that carries code
    size_t max_call = 6 * 1024 * 1024;       ///< of the body, decoded, that `invoke` hands to a function
    size_t max_response = 32 * 1024 * 1024;  ///< of a function's answer to `invoke`
    bool metrics_public = false;             ///< /metrics without a token
    bool secure = false;                     ///< served over TLS: URLs begin with https
    std::string backend = "process";         ///< name, for people
    SpecLimits spec_limits;
    TriggerAuth default_auth = TriggerAuth::public_access;  ///< of triggers that do not say
    milliseconds heartbeat{15'000};  ///< comment line in an otherwise silent stream
};

/// Everything the handlers use; all of it outlives the ManagementApi.
struct ApiServices {
    BlockingPool& pool;
    registry::FunctionRegistry& registry;
    build::BuildService& builds;
    dispatch::Dispatcher& dispatcher;
    runtime::RuntimeBackend& backend;
    const runtime::RuntimeTable& runtimes;
    secrets::SecretStore& secrets;
    auth::ApiKeyStore& keys;
    auth::AuditLog& audit;
    observe::FunctionLogStore& logs;
    const Clock& clock;
    telemetry::Logger& logger;
    telemetry::MetricsRegistry& metrics;
};

class ManagementApi {
  public:
    ManagementApi(boost::asio::io_context& loop, ApiOptions options, const ApiServices& services);
    ~ManagementApi();
    ManagementApi(const ManagementApi&) = delete;
    ManagementApi& operator=(const ManagementApi&) = delete;

    /// Finds the route, checks the token: answers 401, 403, 404, 405 before a body is read. → limit of the
    /// body.
    size_t on_head(net::HttpExchange& exchange);
    void on_request(net::HttpExchange& exchange);

    void set_draining();  ///< /readyz answers 503 from now on
    void stop();          ///< ends the streams; answers of blocking handlers still arrive

  private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

/// The document that /openapi.json serves.
std::string openapi_text();

}  // namespace hks::api
