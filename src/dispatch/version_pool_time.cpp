// SPDX-License-Identifier: Apache-2.0
// VersionPool: what happens because time has passed.
#include "pool_set.hpp"
#include "version_pool.hpp"

#include <hks/core/units.hpp>

#include <algorithm>

namespace hks::dispatch {
namespace {

using namespace std::chrono_literals;

/// Deadlines are a promise within this; it keeps a busy pool from being woken for every call.
constexpr nanoseconds shortest_tick = 1ms;
constexpr nanoseconds longest_tick = 100ms;
/// A running call is not called stalled before.
constexpr nanoseconds stall_unknown = 1ms;
constexpr nanoseconds stall_first = 10ms;  ///< an instance's first call pays for what the language does once
constexpr nanoseconds stall_known = 2ms;

}  // namespace

void VersionPool::want_wake(SteadyTime at) {
    if (at < wake) set_.want_wake(*this, at);
}

void VersionPool::on_time(SteadyTime now) {
    expire_runs(now);
    expire_waiting(now);
    if (waiting() > 0 && hopeless(now)) {
        move_waiting_to_failing();
        fail_all(last_failure_, Failure::start);
    }
    for (Slot* slot : current_slots()) {
        if (has(slot) && slot->state == SlotState::starting &&
            now - slot->start_began >= limits_.ready_timeout)
            kill(*slot, "was not ready within " +
                            format_duration(std::chrono::duration_cast<milliseconds>(limits_.ready_timeout)));
    }
    stop_idle(now);
    scale(now);
    want_wake(next_wake(now));
}

void VersionPool::expire_runs(SteadyTime now) {
    for (size_t i = 0; i < slots_.size();) {
        if (expire_run(*slots_[i], now))
            i = 0;
        else
            ++i;
    }
}

/// Its handler runs. Only a concurrent instance can have calls of which nobody knows it without asking.
bool VersionPool::entered(const Slot& slot, const Ticket& ticket) {
    return slot.capacity == 1 || ticket.streaming || slot.instance->has_started(ticket);
}

size_t VersionPool::running_calls(const Slot& slot) {
    size_t n = 0;
    for (const Ticket* t = slot.first; t; t = t->next) n += t->call != nullptr && entered(slot, *t);
    return n;
}

SteadyTime VersionPool::ticket_deadline(const Slot& slot, const Ticket& ticket) const {
    if (ticket.streaming)
        return ticket.last_activity + (ticket.call ? limits_.idle_timeout : limits_.timeout);
    if (slot.state == SlotState::condemned && (!ticket.call || !entered(slot, ticket))) return never;
    return (slot.capacity == 1 ? slot.head_began : ticket.times.sent) + limits_.timeout;
}

SteadyTime VersionPool::run_deadline(const Slot& slot) const {
    SteadyTime deadline = never;
    if (slot.state == SlotState::starting || slot.state == SlotState::dying) return deadline;
    for (const Ticket* ticket = slot.first; ticket; ticket = ticket->next) {
        deadline = std::min(deadline, ticket_deadline(slot, *ticket));
        if (slot.capacity == 1) break;
    }
    return deadline;
}

/// True when something was done: the pool's lists may have changed.
bool VersionPool::expire_run(Slot& slot, SteadyTime now) {
    if (now < run_deadline(slot)) return false;
    Ticket* ticket = slot.first;
    while (ticket && now < ticket_deadline(slot, *ticket)) ticket = ticket->next;
    if (!ticket) return false;
    time_out(slot, *ticket, now);
    return true;
}

/// A call that the instance has not come to stays with it: only when it is dead is it certain that nobody will begin
/// it any more, and then it goes elsewhere.
void VersionPool::time_out(Slot& slot, Ticket& ticket, SteadyTime now) {
    Call* const call = entered(slot, ticket) ? ticket.call : nullptr;
    const bool silent = ticket.streaming;
    const std::string limit =
        format_duration(silent ? version_->spec.resources.idle_timeout : version_->spec.resources.timeout);
    const std::string reason = silent ? "was silent for " + limit + " within a stream" : timeout_reason();
    if (call) {
        say(LogLevel::error, "the call was ended: the function " + reason, call->id.text());
        metrics_.failed(http_status(Errc::invocation_timeout), Failure::timeout);
        ticket.call = nullptr;
        call->times.answered = now;
        leave(*call);
    }
    const bool alone = slot.capacity == 1 || running_calls(slot) == 0;
    leave_service(slot, alone ? SlotState::dying : SlotState::condemned);
    runtime::Instance& instance = *slot.instance;
    if (call) instance.cancel(ticket);
    if (alone) instance.kill(reason);
    if (!call) return;
    call->on_failed(failure_of(
        Errc::invocation_timeout,
        silent ? "The function sent nothing for " + limit + " within its answer (resources.idleTimeout)."
               : "The function did not answer within " + limit +
                     " (resources.timeout). Make it faster or raise the limit."));
}

void VersionPool::expire_waiting(SteadyTime now) {
    for (CallQueue* calls : {&returned_, &queue_}) {
        while (Call* call = calls->front()) {
            if (now < call->dispatch.deadline) break;
            unlink_waiting(*call);
            call->dispatch.state = static_cast<uint8_t>(CallState::failing);
            failing_.push_back(*call);
        }
    }
    if (failing_.empty()) return;
    CallFailure failure =
        failure_of(Errc::overloaded,
                   "No instance was free within " + format_duration(version_->spec.queue_timeout()) +
                       " (resources.queueTimeout); the function was not started. Try again later, or raise "
                       "scaling.maxScale.");
    failure.error.retry_after = retry_after(load(now));
    fail_all(failure, Failure::queue_timeout);
}

/// The longest idle ones go first: `available_` is a stack.
void VersionPool::stop_idle(SteadyTime now) {
    for (size_t i = 0; i < available_.size();) {
        Slot& slot = *available_[i];
        const bool old = slot.outstanding == 0 && now - slot.idle_since >= limits_.scale_down_delay;
        if (!old || alive() <= min_scale_ || ready_ - busy_ <= warm_) {
            ++i;
            continue;
        }
        drain(slot);
        i = 0;
    }
}

nanoseconds VersionPool::stalled(SteadyTime now) const {
    const bool known = service_.known();
    nanoseconds shortest = nanoseconds::max(), longest{0};
    for (const auto& slot : slots_) {
        if (!slot->takes_calls() || !slot->first) continue;
        const SteadyTime began = slot->capacity == 1 ? slot->head_began : slot->first->times.sent;
        shortest = std::min<nanoseconds>(shortest, now - began);
        if (now - began >= (slot->answers == 0 ? stall_first : stall_unknown))
            longest = std::max<nanoseconds>(longest, now - began);
    }
    if (!known) return longest;
    if (shortest == nanoseconds::max()) return 0ns;
    return shortest > std::max(stall_known, 2 * service_.recent_max()) ? shortest : 0ns;
}

SteadyTime VersionPool::next_wake(SteadyTime now) const {
    SteadyTime at = never;
    if (const Call* call = returned_.front()) at = std::min(at, call->dispatch.deadline);
    if (const Call* call = queue_.front()) at = std::min(at, call->dispatch.deadline);
    for (const auto& slot : slots_) {
        at = std::min(at, slot->state == SlotState::starting ? slot->start_began + limits_.ready_timeout
                                                             : run_deadline(*slot));
    }
    if (alive() > min_scale_ && ready_ - busy_ > warm_) {
        for (const Slot* slot : available_) {
            if (slot->outstanding == 0)
                at = std::min<SteadyTime>(at, slot->idle_since + limits_.scale_down_delay);
        }
    }
    if (waiting() > 0 && alive() < limits_.max_scale && !retired_) {
        const nanoseconds tick =
            starved ? longest_tick : std::clamp(stalled(now) / 2, shortest_tick, longest_tick);
        at = std::min<SteadyTime>(at, resting(now) ? resting_until_ : now + tick);
    }
    return std::max(at, now + shortest_tick);
}

}  // namespace hks::dispatch
