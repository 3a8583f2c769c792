// SPDX-License-Identifier: Apache-2.0
// VersionPool: instances come and go.
#include "pool_set.hpp"
#include "version_pool.hpp"

#include <hks/core/units.hpp>
#include <hks/telemetry/logger.hpp>

#include <algorithm>

namespace hks::dispatch {
namespace {

void set_state(Call& call, CallState state) {
    call.dispatch.state = static_cast<uint8_t>(state);
}

Ticket& ticket_of(Call* call) {
    return *static_cast<Ticket*>(call);
}

}  // namespace

void VersionPool::say(LogLevel level, std::string message, std::string_view invocation_id) const {
    FunctionLogRecord record;
    record.time = set_.services().clock.wall();
    record.workspace = version_->workspace;
    record.function = version_->function;
    record.function_id = version_->function_id;
    record.version = version_->number;
    record.level = level;
    record.stream = "platform";
    record.invocation_id = invocation_id;
    record.message = std::move(message);
    set_.services().logs.write(std::move(record));
}

void VersionPool::show_instances() {
    metrics_.set_instances(starting_, leaving_);
    metrics_.set_busy(ready_ - busy_, busy_);
}

void VersionPool::scale(SteadyTime now) {
    if (retired_) return;
    if (waiting() > 0 && alive() < limits_.max_scale) {
        if (resting(now)) {
            want_wake(hopeless(now) ? now : resting_until_);
        } else {
            for (size_t n = instances_to_start(load(now)); n > 0; --n) {
                if (!start_one(now, true)) break;
            }
            want_wake(now + std::chrono::milliseconds(1));
        }
    }
    keep_baseline(now);
}

/// minScale and warm, whatever the calls do.
void VersionPool::keep_baseline(SteadyTime now) {
    if (!has_baseline() || set_.stopping()) return;
    const size_t wanted = std::max(min_scale_, std::min(limits_.max_scale, busy_ + warm_));
    while (alive() < wanted) {
        if (resting(now)) return want_wake(resting_until_);
        if (!start_one(now, false)) return;
    }
}

bool VersionPool::start_one(SteadyTime now, bool may_evict) {
    if (!set_.make_room(*this, may_evict)) return false;
    auto environment = set_.services().environment(*version_);
    if (!environment) {
        start_failed(now, failure_of(Errc::worker_failed,
                                     "The function could not be started: " + environment.error().message));
        return false;
    }
    runtime::LaunchSpec spec;
    spec.version = version_;
    spec.environment = std::move(*environment);
    spec.logs = &set_.services().logs;
    auto instance = set_.services().backend.start(spec, *this);
    if (!instance) {
        const Error& why = instance.error();
        const Errc code = why.code == Errc::provider_error ? Errc::provider_error : Errc::worker_failed;
        start_failed(now, failure_of(code, "The function could not be started: " + why.message));
        return false;
    }
    auto slot = std::make_unique<Slot>();
    slot->pool = this;
    slot->instance = std::move(*instance);
    slot->instance->tag = slot.get();
    slot->start_began = now;
    slots_.push_back(std::move(slot));
    ++starting_;
    ++set_.instances;
    show_instances();
    want_wake(now + limits_.ready_timeout);
    return true;
}

void VersionPool::on_ready(runtime::Instance& instance, const runtime::ReadyInfo& info) {
    Slot& slot = *static_cast<Slot*>(instance.tag);
    if (slot.state != SlotState::starting) return;
    const SteadyTime now = set_.now();
    slot.state = SlotState::ready;
    slot.capacity = info.concurrent ? limits_.concurrency : 1;
    slot.ready_at = slot.idle_since = now;
    start_times_.record(now - slot.start_began);
    start_failures_ = 0;
    --starting_;
    ++ready_;
    make_available(slot);
    show_instances();
    pump(now);
    if (slot.outstanding > 0) return;
    if (slot.retire_when_idle) return drain(slot);
    want_wake(now + limits_.scale_down_delay);
    if (set_.anyone_starved()) set_.feed_starved(now);
}

void VersionPool::on_start_failed(runtime::Instance& instance, const runtime::ExitInfo& why) {
    Slot& slot = *static_cast<Slot*>(instance.tag);
    const SteadyTime now = set_.now();
    const bool wanted = slot.state == SlotState::starting || slot.state == SlotState::dying;
    set_.bury(std::move(detach(slot)->instance));
    if (!wanted) return scale(now);
    CallFailure failure =
        failure_of(Errc::worker_failed, "Function '" + version_->function + "' could not be started: it " +
                                            why.reason + ". Its log tells more.");
    failure.type = why.type;
    failure.exception_message = why.message;
    failure.stack = why.stack;
    start_failed(now, failure);
}

void VersionPool::start_failed(SteadyTime now, const CallFailure& failure) {
    ++start_failures_;
    resting_until_ = now + start_back_off(start_failures_);
    last_failure_ = failure;
    std::string line = failure.error.message;
    if (!failure.stack.empty())
        line += "\n" + failure.stack;
    else if (!failure.type.empty())
        line += "\n" + failure.type + ": " + failure.exception_message;
    say(LogLevel::error, std::move(line));
    // Not from here: the first start is tried from inside invoke().
    if (waiting() > 0) want_wake(now);
    if (has_baseline()) want_wake(resting_until_);
}

void VersionPool::on_gone(runtime::Instance& instance, const runtime::ExitInfo& why,
                          std::span<Call* const> /*started*/, std::span<Call* const> unstarted) {
    Slot& slot = *static_cast<Slot*>(instance.tag);
    const SteadyTime now = set_.now();
    for (Call* held : unstarted) {
        Ticket& ticket = ticket_of(held);
        Call* call = ticket.call;
        slot.remove(ticket);
        set_.tickets.release(ticket);
        if (call) take_back(*call, now);
    }
    metrics_.set_queued(waiting());
    if (!why.asked) say_why(slot, why);
    // What is still on the slot's list was started, or the instance lost it: either way it had its only try.
    take_failing(slot);
    const std::unique_ptr<Slot> gone = detach(slot);
    set_.bury(std::move(gone->instance));

    CallFailure failure;
    if (why.out_of_memory) {
        failure = failure_of(Errc::worker_failed, "The function used more than " +
                                                      format_bytes(version_->spec.resources.memory) +
                                                      " of memory: raise resources.memory.");
    } else {
        failure =
            failure_of(Errc::worker_failed, "The worker died while it ran this call: it " + why.reason + ".");
    }
    if (gone->state == SlotState::starting || gone->state == SlotState::ready ||
        gone->state == SlotState::condemned)
        crashed(*gone, why, now);
    if (retired_) move_waiting_to_failing();
    pump(now);
    scale(now);
    fail_all(failure, why.out_of_memory ? Failure::out_of_memory : Failure::crash);
}

/// Into the log of every call that it took with it, or of the version when there was none.
void VersionPool::say_why(const Slot& slot, const runtime::ExitInfo& why) {
    const std::string line = why.out_of_memory ? "an instance was stopped: it used more than " +
                                                     format_bytes(version_->spec.resources.memory) +
                                                     " of memory; raise resources.memory"
                                               : "an instance died: it " + why.reason;
    if (slot.live_calls() == 0) return say(LogLevel::error, line);
    for (const Ticket* ticket = slot.first; ticket; ticket = ticket->next)
        if (ticket->call) say(LogLevel::error, line, ticket->id.text());
}

/// It went without being asked to.
void VersionPool::crashed(const Slot& slot, const runtime::ExitInfo& why, SteadyTime now) {
    if (why.asked || slot.answers > 0) return;
    ++crashes_;
    const auto rest = crash_back_off(crashes_);
    if (rest.count() == 0) return;
    resting_until_ = now + rest;
    if (waiting() > 0 || has_baseline()) want_wake(resting_until_);
}

/// Sent ahead, never started: before everybody else, with the full time to wait.
void VersionPool::take_back(Call& call, SteadyTime now) {
    call.times.sent = {};
    call.dispatch.instance = nullptr;
    call.dispatch.deadline = now + limits_.queue_timeout;
    set_state(call, CallState::returned);
    returned_.push_back(call);
    ++set_.queued;
    want_wake(call.dispatch.deadline);
}

void VersionPool::take_failing(Slot& slot) {
    while (Ticket* ticket = slot.first) {
        Call* call = ticket->call;
        slot.remove(*ticket);
        set_.tickets.release(*ticket);
        if (!call) continue;
        set_state(*call, CallState::failing);
        failing_.push_back(*call);
    }
}

void VersionPool::move_waiting_to_failing() {
    while (waiting() > 0) {
        Call& call = pop_waiting();
        set_state(call, CallState::failing);
        failing_.push_back(call);
    }
}

void VersionPool::fail_all(const CallFailure& failure, Failure why) {
    const SteadyTime now = set_.now();
    while (!failing_.empty()) {
        Call& call = failing_.pop_front();
        leave(call);
        call.times.answered = now;
        metrics_.failed(http_status(failure.error.code), why);
        call.on_failed(failure);
    }
}

void VersionPool::make_available(Slot& slot) {
    slot.available = true;
    available_.push_back(&slot);
}

void VersionPool::make_unavailable(Slot& slot) {
    if (!slot.available) return;
    slot.available = false;
    if (available_.back() == &slot)
        available_.pop_back();
    else
        std::erase(available_, &slot);
}

/// The instance takes no more calls and no longer counts.
void VersionPool::leave_service(Slot& slot, SlotState next) {
    make_unavailable(slot);
    if (slot.state == SlotState::starting || slot.state == SlotState::ready) {
        if (slot.state == SlotState::starting)
            --starting_;
        else
            --ready_;
        if (slot.state == SlotState::ready && slot.outstanding > 0) --busy_;
        set_.instance_left();
        ++leaving_;
    }
    slot.state = next;
    show_instances();
}

std::unique_ptr<Slot> VersionPool::detach(Slot& slot) {
    const SlotState was = slot.state;
    leave_service(slot, SlotState::dying);
    slot.state = was;
    --leaving_;
    show_instances();
    const auto at =
        std::find_if(slots_.begin(), slots_.end(), [&](const auto& s) { return s.get() == &slot; });
    std::unique_ptr<Slot> out = std::move(*at);
    slots_.erase(at);
    return out;
}

void VersionPool::drain(Slot& slot) {
    leave_service(slot, SlotState::leaving);
    slot.instance->drain(set_.options().drain_grace);
}

void VersionPool::kill(Slot& slot, const std::string& reason) {
    leave_service(slot, SlotState::dying);
    slot.instance->kill(reason);
}

std::vector<Slot*> VersionPool::current_slots() const {
    std::vector<Slot*> slots;
    for (const auto& slot : slots_) slots.push_back(slot.get());
    return slots;
}

bool VersionPool::has(const Slot* slot) const {
    return std::any_of(slots_.begin(), slots_.end(), [&](const auto& s) { return s.get() == slot; });
}

void VersionPool::set_active(bool active) {
    if (active == active_) return;
    active_ = active;
    min_scale_ = active ? version_->spec.scaling.min_scale : 0;
    warm_ = active ? version_->spec.scaling.warm : 0;
    if (active) {
        for (const auto& slot : slots_) slot->retire_when_idle = false;
        keep_baseline(set_.now());
    } else {
        drain_when_idle();
    }
}

void VersionPool::drain_when_idle() {
    for (Slot* slot : current_slots()) {
        if (!has(slot)) continue;
        slot->retire_when_idle = true;
        const bool unneeded = slot->state == SlotState::starting && waiting() == 0;
        if (unneeded || (slot->state == SlotState::ready && slot->outstanding == 0)) drain(*slot);
    }
}

void VersionPool::retire() {
    if (retired_) return;
    retired_ = true;
    active_ = false;
    min_scale_ = warm_ = 0;
    move_waiting_to_failing();
    drain_when_idle();
    fail_all(failure_of(Errc::function_not_found, "Function '" + version_->function + "' was deleted."),
             Failure::removed);
}

void VersionPool::close() {
    retired_ = closed_ = true;
    available_.clear();
    slots_.clear();
}

void VersionPool::drain_all() {
    min_scale_ = warm_ = 0;
    for (Slot* slot : current_slots()) {
        if (has(slot) && slot->state != SlotState::leaving && slot->state != SlotState::dying) drain(*slot);
    }
}

void VersionPool::fail_waiting_for_stop() {
    move_waiting_to_failing();
    CallFailure failure = failure_of(Errc::overloaded, "The server is stopping. Try again in a moment.");
    failure.error.retry_after = std::chrono::seconds(1);
    fail_all(failure, Failure::overloaded);
}

void VersionPool::kill_all(const std::string& reason) {
    min_scale_ = warm_ = 0;
    for (Slot* slot : current_slots()) {
        if (has(slot) && slot->state != SlotState::dying) kill(*slot, reason);
    }
}

SteadyTime VersionPool::longest_idle() const {
    SteadyTime since = never;
    if (alive() <= min_scale_ || waiting() > 0) return since;
    for (const Slot* slot : available_) {
        if (slot->outstanding == 0) since = std::min(since, slot->idle_since);
    }
    return since;
}

void VersionPool::evict_longest_idle() {
    Slot* oldest = nullptr;
    for (Slot* slot : available_) {
        if (slot->outstanding == 0 && (!oldest || slot->idle_since < oldest->idle_since)) oldest = slot;
    }
    if (oldest) drain(*oldest);
}

}  // namespace hks::dispatch
