// SPDX-License-Identifier: Apache-2.0
#pragma once
// All pools of this host, what they share (tickets, the bounds over all of them, time) and the way they
// follow the catalog. No sockets and no timers: it says when it wants advance() to be called, so that tests
// move its clock.

#include "ticket.hpp"
#include "version_pool.hpp"

#include <hks/registry/catalog.hpp>

#include <functional>
#include <set>
#include <unordered_map>

namespace hks::dispatch {

using Environment = std::vector<std::pair<std::string, std::string>>;

/// The world that pools live in.
struct PoolServices {
    runtime::RuntimeBackend& backend;
    FunctionLogSink& logs;
    const Clock& clock;
    telemetry::Logger& logger;
    telemetry::MetricsRegistry& metrics;
    std::function<Result<Environment>(const Version&)> environment;
    std::function<void(SteadyTime)> wake_at;  ///< call advance() at this time or a little later
    std::function<void()> settle_later;       ///< call settle() soon, not from inside this call
};

class PoolSet {
  public:
    PoolSet(DispatcherOptions options, PoolServices services);
    ~PoolSet();
    PoolSet(const PoolSet&) = delete;
    PoolSet& operator=(const PoolSet&) = delete;

    std::shared_ptr<VersionPool> pool(const std::shared_ptr<const Version>& version);
    void reconcile(std::shared_ptr<const registry::Catalog> catalog);
    void advance(SteadyTime now);
    /// Buries instances that are gone, forgets pools that are finished, goes on with stop().
    void settle();
    void stop(SteadyTime deadline, std::function<void(bool)> done);
    std::vector<PoolStatus> status(const std::string& workspace, const std::string& function) const;

    // For pools.
    const DispatcherOptions& options() const { return options_; }
    PoolServices& services() { return services_; }
    SteadyTime now() const { return services_.clock.steady(); }
    bool stopping() const { return stopping_; }
    /// Room for one more instance: when the host is full, the instance of another pool that has been idle
    /// longest has to go. Without room the pool is asked again by feed_starved().
    bool make_room(VersionPool& asking, bool may_evict);
    void feed_starved(SteadyTime now);
    bool anyone_starved() const { return !starved_.empty(); }
    void want_wake(VersionPool& pool, SteadyTime at);
    void bury(std::unique_ptr<runtime::Instance> instance);
    void call_left();
    void instance_left();

    TicketStore tickets;
    size_t queued = 0;     ///< calls that wait, all pools
    size_t inside = 0;     ///< calls that wait or run
    size_t instances = 0;  ///< starting or ready

  private:
    void arm_timer(SteadyTime at);
    void ask_settle();
    void prepare_runtimes();
    void go_on_stopping();

    DispatcherOptions options_;
    PoolServices services_;
    std::unordered_map<int64_t, std::shared_ptr<VersionPool>> pools_;
    std::shared_ptr<const registry::Catalog> catalog_;
    std::vector<int64_t> retired_;
    std::vector<VersionPool*> armed_, starved_;
    std::vector<std::unique_ptr<runtime::Instance>> buried_;
    std::set<std::string> prepared_;
    SteadyTime timer_ = never;
    bool settle_asked_ = false;

    bool stopping_ = false, drained_ = false, clean_ = true;
    SteadyTime stop_deadline_ = never;
    std::function<void(bool)> stopped_;
};

}  // namespace hks::dispatch
