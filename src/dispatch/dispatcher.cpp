// SPDX-License-Identifier: Apache-2.0
#include <hks/dispatch/dispatcher.hpp>

#include "pool_set.hpp"

#include <hks/dispatch/loop_follower.hpp>
#include <hks/secrets/secret_store.hpp>
#include <hks/telemetry/logger.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <optional>

namespace hks::dispatch {
namespace {

/// The variables of the spec, then the secrets that it names.
Result<Environment> environment_of(const secrets::SecretStore& secrets, const Version& version) {
    Environment environment(version.spec.variables.begin(), version.spec.variables.end());
    if (version.spec.secrets.empty()) return environment;
    auto resolved = secrets.resolve(version.workspace, version.spec.secrets);
    if (!resolved) return resolved.error();
    environment.insert(environment.end(), resolved->begin(), resolved->end());
    return environment;
}

}  // namespace

/// The loop round a PoolSet: one timer, one posted task, the catalog.
class Dispatcher::Impl {
  public:
    Impl(boost::asio::io_context& loop, DispatcherOptions options, runtime::RuntimeBackend& backend,
         registry::CatalogWatch& catalog, secrets::SecretStore& secrets, FunctionLogSink& logs,
         const Clock& clock, telemetry::Logger& logger, telemetry::MetricsRegistry& metrics)
        : loop_(loop),
          timer_(loop),
          catalog_(catalog),
          clock_(clock),
          pools(options,
                PoolServices{backend, logs, clock, logger, metrics,
                             [&secrets](const Version& version) { return environment_of(secrets, version); },
                             [this](SteadyTime at) { wake_at(at); }, [this] { settle_later(); }}) {}

    void follow() {
        follower_.emplace(loop_, catalog_, [this] { pools.reconcile(catalog_.get()); });
        pools.reconcile(catalog_.get());
    }

  private:
    void wake_at(SteadyTime at) {
        const auto wait = std::max<std::chrono::nanoseconds>(at - clock_.steady(), milliseconds(1));
        timer_.expires_after(wait);
        timer_.async_wait([this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
            if (error || alive.expired()) return;
            pools.advance(clock_.steady());
        });
    }

    void settle_later() {
        boost::asio::post(loop_, [this, alive = std::weak_ptr(alive_)] {
            if (!alive.expired()) pools.settle();
        });
    }

    boost::asio::io_context& loop_;
    boost::asio::steady_timer timer_;
    registry::CatalogWatch& catalog_;
    const Clock& clock_;
    std::optional<LoopFollower<registry::Catalog>> follower_;
    std::shared_ptr<int> alive_ = std::make_shared<int>();

  public:
    PoolSet pools;
};

Dispatcher::Dispatcher(boost::asio::io_context& loop, DispatcherOptions options,
                       runtime::RuntimeBackend& backend, registry::CatalogWatch& catalog,
                       secrets::SecretStore& secrets, FunctionLogSink& logs, const Clock& clock,
                       telemetry::Logger& logger, telemetry::MetricsRegistry& metrics)
    : impl_(std::make_unique<Impl>(loop, options, backend, catalog, secrets, logs, clock, logger, metrics)) {}

Dispatcher::~Dispatcher() = default;

void Dispatcher::start() {
    impl_->follow();
}

void Dispatcher::stop(milliseconds deadline, std::function<void(bool clean)> done) {
    PoolSet& pools = impl_->pools;
    pools.stop(pools.now() + deadline, std::move(done));
}

std::shared_ptr<VersionPool> Dispatcher::pool(const std::shared_ptr<const Version>& version) {
    return impl_->pools.pool(version);
}

void Dispatcher::invoke(VersionPool& pool, Call& call) {
    pool.invoke(call);
}

void Dispatcher::cancel(Call& call) {
    if (call.dispatch.pool) static_cast<VersionPool*>(call.dispatch.pool)->cancel(call);
}

void Dispatcher::consumed(Call& call, size_t bytes) {
    if (call.dispatch.pool) static_cast<VersionPool*>(call.dispatch.pool)->consumed(call, bytes);
}

std::vector<PoolStatus> Dispatcher::status(const std::string& workspace, const std::string& function) const {
    return impl_->pools.status(workspace, function);
}

}  // namespace hks::dispatch
