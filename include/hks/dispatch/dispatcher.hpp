// SPDX-License-Identifier: Apache-2.0
#pragma once
// Invocation → ready instance. One VersionPool per version that is called: bounded queue, most recently used idle
// instance first, adaptive pipelining, instances started at once for an empty pool and when the forecast wait is longer
// than a start, stopped after scaleDownDelay. Reconciles with the Catalog. Everything on the loop thread.

#include <hks/core/call.hpp>
#include <hks/core/log_record.hpp>
#include <hks/core/version.hpp>
#include <hks/registry/catalog.hpp>
#include <hks/runtime/instance.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hks {
class BlockingPool;
}
namespace hks::telemetry {
class Logger;
class MetricsRegistry;
}
namespace hks::secrets {
class SecretStore;
}

namespace hks::dispatch {

class VersionPool;

struct DispatcherOptions {
    size_t max_queued = 20'000;         ///< over all versions; more is 503 OVERLOADED
    size_t max_instances = 1'000;       ///< on this host
    milliseconds drain_grace{10'000};   ///< SIGTERM to SIGKILL
};

/// State of one version's pool, for metrics and `functions/{f}/metrics`.
struct PoolStatus {
    int64_t version_key = 0;
    int version = 0;
    size_t starting = 0, ready = 0, busy = 0, queued = 0;
    uint64_t requests = 0, errors = 0, cold_starts = 0;
};

class Dispatcher {
  public:
    Dispatcher(boost::asio::io_context& loop, DispatcherOptions options, runtime::RuntimeBackend& backend,
               registry::CatalogWatch& catalog, secrets::SecretStore& secrets, FunctionLogSink& logs,
               const Clock& clock, telemetry::Logger& logger, telemetry::MetricsRegistry& metrics);
    ~Dispatcher();
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;

    void start();
    /// Refuses new calls (503), waits for those inside until `deadline`, drains the instances; `done(clean)`.
    void stop(milliseconds deadline, std::function<void(bool clean)> done);

    /// The pool of a version, made when needed; stays valid while the version is in the catalog or has calls, and the
    /// shared_ptr keeps the object itself alive (a retired pool sends calls on to nobody: 404).
    std::shared_ptr<VersionPool> pool(const std::shared_ptr<const Version>& version);

    /// Takes a call. Its end may be reported before this returns only for refusals (429, 503). The pool sets
    /// call.times, call.cold_start.
    void invoke(VersionPool& pool, Call& call);
    /// The client went away: no more callbacks to this call.
    void cancel(Call& call);
    /// Backpressure of streaming answers, see Instance::consumed().
    void consumed(Call& call, size_t bytes);

    std::vector<PoolStatus> status(const std::string& workspace, const std::string& function) const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hks::dispatch
