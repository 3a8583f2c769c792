// SPDX-License-Identifier: Apache-2.0
#pragma once
// The calls and the instances of one version. Loop thread; driven by invoke()/cancel(), by its instances (it
// is their listener) and by on_time(), which PoolSet calls when the time it asked for has come. What to
// decide is in scaling_rule.hpp; here is who waits where. A pool is owned by PoolSet; others that hold it may
// only hand it back.
//
// A callback to a Call may come straight back in (the next request of the same connection), so every callback
// is made when the pool's own state is whole, and nothing of a call is touched after it.

#include "call_queue.hpp"
#include "pool_metrics.hpp"
#include "scaling_rule.hpp"
#include "slot.hpp"

#include <hks/core/version.hpp>
#include <hks/dispatch/dispatcher.hpp>
#include <hks/runtime/instance.hpp>

#include <memory>
#include <string>
#include <vector>

namespace hks::dispatch {

class PoolSet;

inline constexpr SteadyTime never = SteadyTime::max();

class VersionPool final : public runtime::InstanceListener {
  public:
    VersionPool(PoolSet& set, std::shared_ptr<const Version> version);
    ~VersionPool() override;

    const Version& version() const { return *version_; }

    void invoke(Call& call);
    void cancel(Call& call);
    void consumed(Call& call, size_t bytes);

    /// Catalog: the version is the active one (minScale and warm hold), or only reachable by number.
    void set_active(bool active);
    /// Catalog: the version is gone. Waiting calls hear 404, running ones finish, instances leave.
    void retire();
    bool finished() const { return retired_ && slots_.empty() && waiting() == 0; }

    /// PoolSet is done with it: instances are killed, whoever still holds the pool gets 404.
    void close();

    /// The server stops.
    void drain_all();
    void fail_waiting_for_stop();
    void kill_all(const std::string& reason);

    void on_time(SteadyTime now);
    /// Starts what waiting calls are worth now. The host has room again, or time has passed.
    void scale(SteadyTime now);
    /// Since when the instance that may make room for another pool has been idle; never = there is none.
    SteadyTime longest_idle() const;
    void evict_longest_idle();

    PoolStatus status() const;
    size_t waiting() const { return queue_.size() + returned_.size(); }
    size_t slots() const { return slots_.size(); }

    // runtime::InstanceListener
    void on_ready(runtime::Instance& instance, const runtime::ReadyInfo& info) override;
    void on_start_failed(runtime::Instance& instance, const runtime::ExitInfo& why) override;
    void on_slot_free(runtime::Instance& instance) override;
    void on_gone(runtime::Instance& instance, const runtime::ExitInfo& why, std::span<Call* const> started,
                 std::span<Call* const> unstarted) override;

    // From a Ticket: its call has had its last word, or a part of a stream. The ticket is recycled.
    SteadyTime now() const;
    void on_answer_end(Ticket& ticket, SteadyTime now, int status);
    void on_failure_end(Ticket& ticket, SteadyTime now, const CallFailure& failure);

    // PoolSet's own
    SteadyTime wake = never;
    bool armed = false, starved = false;

  private:
    struct Limits {  // from the spec, in the clock's units
        nanoseconds timeout, queue_timeout, idle_timeout, scale_down_delay, ready_timeout;
        size_t concurrency, max_scale, queue_size;
    };

    // calls (version_pool.cpp)
    void enqueue(Call& call, SteadyTime now);
    size_t waiting_for_start() const;
    Call& pop_waiting();
    void unlink_waiting(Call& call);
    Slot* pick();
    Slot* least_busy();
    void send(Slot& slot, Call& call, SteadyTime now, bool waited);
    void pump(SteadyTime now);
    void refuse(Call& call, Error error, Failure why);
    void leave(Call& call);
    void end_ticket(Ticket& ticket, SteadyTime now);
    void slot_freed(Slot& slot, SteadyTime now);
    PoolLoad load(SteadyTime now) const;
    CallFailure failure_of(Errc code, std::string message) const;
    std::string timeout_reason() const;

    // instances (version_pool_instances.cpp)
    bool start_one(SteadyTime now, bool may_evict);
    void start_failed(SteadyTime now, const CallFailure& failure);
    void keep_baseline(SteadyTime now);
    void make_available(Slot& slot);
    void make_unavailable(Slot& slot);
    void leave_service(Slot& slot, SlotState next);
    void drain(Slot& slot);
    void drain_when_idle();
    std::vector<Slot*> current_slots() const;
    bool has(const Slot* slot) const;
    void kill(Slot& slot, const std::string& reason);
    std::unique_ptr<Slot> detach(Slot& slot);
    void crashed(const Slot& slot, const runtime::ExitInfo& why, SteadyTime now);
    void say_why(const Slot& slot, const runtime::ExitInfo& why);
    void take_back(Call& call, SteadyTime now);
    void take_failing(Slot& slot);
    void move_waiting_to_failing();
    void fail_all(const CallFailure& failure, Failure why);
    void say(LogLevel level, std::string message, std::string_view invocation_id = {}) const;
    size_t alive() const { return starting_ + ready_; }
    void show_instances();

    // time (version_pool_time.cpp)
    void want_wake(SteadyTime at);
    void expire_runs(SteadyTime now);
    bool expire_run(Slot& slot, SteadyTime now);
    void time_out(Slot& slot, Ticket& ticket, SteadyTime now);
    static bool entered(const Slot& slot, const Ticket& ticket);
    static size_t running_calls(const Slot& slot);
    void expire_waiting(SteadyTime now);
    void stop_idle(SteadyTime now);
    bool resting(SteadyTime now) const { return now < resting_until_; }
    /// It does not start: who waits is told so. After a crash, which may be the fault of one call, others wait.
    bool hopeless(SteadyTime now) const { return alive() == 0 && resting(now) && start_failures_ > 0; }
    bool has_baseline() const { return min_scale_ > 0 || warm_ > 0; }
    nanoseconds stalled(SteadyTime now) const;
    SteadyTime run_deadline(const Slot& slot) const;
    SteadyTime ticket_deadline(const Slot& slot, const Ticket& ticket) const;
    SteadyTime next_wake(SteadyTime now) const;

    PoolSet& set_;  ///< not touched after close()
    std::shared_ptr<const Version> version_;
    Limits limits_;
    PoolMetrics metrics_;
    ServiceTimes service_;
    StartTimes start_times_;
    size_t ahead_limit_ = 1;  ///< send_ahead_limit(service_), kept current

    CallQueue returned_;  ///< had been sent ahead to an instance that died: before all others
    CallQueue queue_;
    CallQueue failing_;
    std::vector<std::unique_ptr<Slot>> slots_;
    std::vector<Slot*> available_;  ///< a stack: the most recently used one is on top
    size_t starting_ = 0, ready_ = 0, busy_ = 0, leaving_ = 0;

    bool active_ = false, retired_ = false, closed_ = false;
    size_t min_scale_ = 0, warm_ = 0;
    unsigned start_failures_ = 0, crashes_ = 0;
    SteadyTime resting_until_{};  ///< crash loop: nothing is started before
    CallFailure last_failure_;
};

}  // namespace hks::dispatch
