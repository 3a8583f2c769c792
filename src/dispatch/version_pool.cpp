// SPDX-License-Identifier: Apache-2.0
#include "version_pool.hpp"

#include "pool_set.hpp"

#include <hks/core/units.hpp>
#include <hks/runtime/runtime_table.hpp>

namespace hks::dispatch {
namespace {

using namespace std::chrono_literals;

uint64_t microseconds(nanoseconds t) {
    return t.count() > 0 ? static_cast<uint64_t>(t.count()) / 1000 : 0;
}

CallState state_of(const Call& call) {
    return static_cast<CallState>(call.dispatch.state);
}
void set_state(Call& call, CallState state) {
    call.dispatch.state = static_cast<uint8_t>(state);
}

bool is_forked(const Version& version) {
    return runtime::RuntimeTable::start_method(version.spec.runtime.name) == runtime::StartMethod::zygote;
}

}  // namespace

// A Ticket forwards what the instance says, after the pool has done its books.

void Ticket::on_response(int answer_status, std::string_view headers, std::string_view body, bool end) {
    Call* const target = call;
    if (!target) return;
    const SteadyTime now = slot->pool->now();
    target->times.answered = now;
    target->started_answer = true;
    if (end) {
        slot->pool->on_answer_end(*this, now, answer_status);
    } else {
        streaming = true;
        status = answer_status;
        last_activity = now;
    }
    target->on_response(answer_status, headers, body, end);
}

void Ticket::on_chunk(std::string_view body, bool end) {
    Call* const target = call;
    if (!target) return;
    last_activity = slot->pool->now();
    if (end) slot->pool->on_answer_end(*this, last_activity, status);
    target->on_chunk(body, end);
}

void Ticket::on_failed(const CallFailure& failure) {
    Call* const target = call;
    if (!target) return;
    slot->pool->on_failure_end(*this, slot->pool->now(), failure);
    target->on_failed(failure);
}

VersionPool::VersionPool(PoolSet& set, std::shared_ptr<const Version> version)
    : set_(set),
      version_(std::move(version)),
      metrics_(set.services().metrics, *version_),
      start_times_(start_guess(is_forked(*version_))) {
    const auto& spec = version_->spec;
    limits_.timeout = spec.resources.timeout;
    limits_.queue_timeout = spec.queue_timeout();
    limits_.idle_timeout = spec.resources.idle_timeout;
    limits_.scale_down_delay = spec.scaling.scale_down_delay;
    limits_.ready_timeout = std::max<nanoseconds>(60s, spec.resources.timeout);
    limits_.concurrency = std::max<size_t>(spec.scaling.concurrency, 1);
    limits_.max_scale = std::max<size_t>(spec.scaling.max_scale, 1);
    limits_.queue_size = spec.scaling.queue_size;
}

VersionPool::~VersionPool() = default;

SteadyTime VersionPool::now() const {
    return set_.now();
}

void VersionPool::invoke(Call& call) {
    call.cold_start = false;
    call.started_answer = false;
    if (retired_) {
        call.times = {};
        Error error(Errc::function_not_found, "Function '" + version_->function + "' was deleted.");
        return refuse(call, std::move(error), Failure::removed);
    }
    const SteadyTime now = set_.now();
    call.times = {now, {}, {}};
    if (set_.stopping()) {
        Error error(Errc::overloaded, "The server is stopping. Try again in a moment.");
        error.retry_after = 1s;
        return refuse(call, std::move(error), Failure::overloaded);
    }
    if (waiting() == 0) {
        if (Slot* slot = pick()) {
            ++set_.inside;
            call.dispatch.pool = this;
            return send(*slot, call, now, false);
        }
    }
    enqueue(call, now);
}

/// Calls that wait for an instance of their own do not stand in the way of others.
size_t VersionPool::waiting_for_start() const {
    return starting_ * limits_.concurrency + (alive() < limits_.max_scale ? 1 : 0);
}

void VersionPool::enqueue(Call& call, SteadyTime now) {
    if (set_.queued >= set_.options().max_queued) {
        Error error(Errc::overloaded, "The server has " + std::to_string(set_.queued) +
                                          " calls waiting, which is all it keeps. Try again later.");
        error.retry_after = retry_after(load(now));
        return refuse(call, std::move(error), Failure::overloaded);
    }
    if (queue_.size() >= limits_.queue_size + waiting_for_start()) {
        Error error(Errc::concurrency_limit_exceeded,
                    "Function '" + version_->function + "' has " + std::to_string(queue_.size()) +
                        " calls waiting (scaling.queueSize). Try again later, or raise scaling.maxScale.");
        error.retry_after = retry_after(load(now));
        return refuse(call, std::move(error), Failure::queue_full);
    }
    call.dispatch.pool = this;
    call.dispatch.deadline = now + limits_.queue_timeout;
    set_state(call, CallState::waiting);
    queue_.push_back(call);
    ++set_.queued;
    ++set_.inside;
    metrics_.set_queued(waiting());
    want_wake(call.dispatch.deadline);
    scale(now);
}

void VersionPool::refuse(Call& call, Error error, Failure why) {
    metrics_.failed(http_status(error.code), why);
    call.on_failed(CallFailure{std::move(error), {}, {}, {}});
}

/// The call is no longer with the dispatcher.
void VersionPool::leave(Call& call) {
    set_state(call, CallState::outside);
    call.dispatch.pool = nullptr;
    call.dispatch.instance = nullptr;
    set_.call_left();
}

Call& VersionPool::pop_waiting() {
    Call& call = *(returned_.empty() ? queue_.front() : returned_.front());
    unlink_waiting(call);
    return call;
}

void VersionPool::unlink_waiting(Call& call) {
    (state_of(call) == CallState::returned ? returned_ : queue_).remove(call);
    --set_.queued;
    metrics_.set_queued(waiting());
}

Slot* VersionPool::pick() {
    if (!available_.empty()) return available_.back();
    return ahead_limit_ > 1 && ready_ > 0 ? least_busy() : nullptr;
}

/// Sending ahead: the calls are short, so the instance with the least in front of it. Among equals the first
/// one, so that calls gather where one read and one write serve many.
Slot* VersionPool::least_busy() {
    Slot* best = nullptr;
    for (const auto& slot : slots_) {
        if (!slot->takes_calls() || slot->capacity > 1 || slot->outstanding >= ahead_limit_) continue;
        if (!best || slot->outstanding < best->outstanding) best = slot.get();
    }
    return best;
}

void VersionPool::send(Slot& slot, Call& call, SteadyTime now, bool waited) {
    Ticket& ticket = set_.tickets.acquire();
    ticket.id = call.id;
    ticket.request = call.request;
    ticket.call = &call;
    ticket.streaming = false;
    ticket.started_answer = false;
    ticket.dispatch = {};
    ticket.times = {{}, now, {}};
    slot.append(ticket);

    call.times.sent = now;
    call.cold_start = waited && slot.ready_at >= call.times.queued;
    call.dispatch.instance = &ticket;
    set_state(call, CallState::sent);
    if (call.cold_start) metrics_.cold_start();

    if (slot.outstanding++ == 0) {
        slot.head_began = now;
        metrics_.set_busy(ready_ - busy_ - 1, busy_ + 1);
        ++busy_;
    }
    if (slot.available && slot.outstanding >= slot.capacity) make_unavailable(slot);
    want_wake(now + limits_.timeout);
    if (warm_ > 0 && available_.size() < warm_) want_wake(now);
    slot.instance->send(ticket);
}

void VersionPool::pump(SteadyTime now) {
    while (waiting() > 0) {
        Slot* slot = pick();
        if (!slot) return;
        Call& call = pop_waiting();
        send(*slot, call, now, true);
    }
}

void VersionPool::end_ticket(Ticket& ticket, SteadyTime now) {
    Slot& slot = *ticket.slot;
    slot.remove(ticket);
    ++slot.ended;
    slot.head_began = now;
    slot.idle_since = now;
    leave(*ticket.call);
    set_.tickets.release(ticket);
}

void VersionPool::on_answer_end(Ticket& ticket, SteadyTime now, int status) {
    const Slot& slot = *ticket.slot;
    const nanoseconds seen = now - (slot.capacity == 1 ? slot.head_began : ticket.call->times.sent);
    // The worker's own measure, when there is one: what we see holds the wait for a core, too, and more instances
    // would make that longer.
    const nanoseconds run = ticket.times.ran.count() > 0 ? ticket.times.ran : seen;
    // The first call of an instance pays for what the language does once; it counts only when it was slow
    // anyway.
    if (slot.answers > 0 || run >= 20ms) {
        service_.record(run);
        ahead_limit_ = send_ahead_limit(service_);
    }
    ++ticket.slot->answers;
    start_failures_ = crashes_ = 0;
    metrics_.answered(status, microseconds(now - ticket.call->times.queued), microseconds(seen));
    end_ticket(ticket, now);
}

void VersionPool::on_failure_end(Ticket& ticket, SteadyTime now, const CallFailure& failure) {
    const bool threw = failure.error.code == Errc::invocation_failed;
    if (threw && !ticket.call->started_answer) {
        ticket.call->times.answered = now;
        on_answer_end(ticket, now, http_status(failure.error.code));
        metrics_.count_error(Failure::exception);
        return;
    }
    metrics_.failed(http_status(failure.error.code), threw ? Failure::stream_broken : Failure::crash);
    ++ticket.slot->answers;
    end_ticket(ticket, now);
}

void VersionPool::on_slot_free(runtime::Instance& instance) {
    Slot& slot = *static_cast<Slot*>(instance.tag);
    if (slot.outstanding == 0) return;
    if (slot.ended > 0) {
        --slot.ended;
        return slot_freed(slot, slot.idle_since);
    }
    Ticket* ticket = slot.first;
    while (ticket && ticket->call) ticket = ticket->next;
    if (!ticket) return;
    const SteadyTime now = set_.now();
    if (ticket == slot.first) slot.head_began = now;
    slot.remove(*ticket);
    set_.tickets.release(*ticket);
    slot.idle_since = now;
    slot_freed(slot, now);
}

void VersionPool::slot_freed(Slot& slot, SteadyTime now) {
    --slot.outstanding;
    if (!slot.takes_calls()) {
        if (slot.state == SlotState::condemned && running_calls(slot) == 0) kill(slot, timeout_reason());
        return;
    }
    if (slot.outstanding == 0) {
        --busy_;
        metrics_.set_busy(ready_ - busy_, busy_);
    }
    if (!slot.available && slot.outstanding < slot.capacity) make_available(slot);
    if (waiting() > 0) pump(now);
    if (slot.outstanding > 0) return;
    if (slot.retire_when_idle) return drain(slot);
    want_wake(now + limits_.scale_down_delay);
    if (set_.anyone_starved()) set_.feed_starved(now);
}

void VersionPool::cancel(Call& call) {
    if (closed_) return;
    switch (state_of(call)) {
        case CallState::outside:
            return;
        case CallState::waiting:
        case CallState::returned:
            unlink_waiting(call);
            return leave(call);
        case CallState::failing:
            failing_.remove(call);
            return leave(call);
        case CallState::sent: {
            Ticket& ticket = *static_cast<Ticket*>(call.dispatch.instance);
            ticket.call = nullptr;
            if (ticket.streaming) ticket.last_activity = set_.now();
            leave(call);
            ticket.slot->instance->cancel(ticket);
            return;
        }
    }
}

void VersionPool::consumed(Call& call, size_t bytes) {
    if (closed_ || state_of(call) != CallState::sent) return;
    Ticket& ticket = *static_cast<Ticket*>(call.dispatch.instance);
    ticket.last_activity = set_.now();
    ticket.slot->instance->consumed(ticket, bytes);
}

PoolLoad VersionPool::load(SteadyTime now) const {
    PoolLoad load;
    load.waiting = waiting();
    load.starting = starting_;
    load.ready = ready_;
    load.calls_each = limits_.concurrency;
    for (const auto& slot : slots_) {
        if (!slot->takes_calls()) continue;
        load.calls_each = slot->capacity;
        break;
    }
    load.max_scale = limits_.max_scale;
    load.known = service_.known();
    load.service = service_.mean();
    load.start_time = start_times_.mean();
    load.stalled = stalled(now);
    for (const auto& slot : slots_) {
        if (slot->state == SlotState::starting)
            load.starting_for = std::max<nanoseconds>(load.starting_for, now - slot->start_began);
    }
    return load;
}

std::string VersionPool::timeout_reason() const {
    return "did not answer within " + format_duration(version_->spec.resources.timeout);
}

CallFailure VersionPool::failure_of(Errc code, std::string message) const {
    return CallFailure{Error(code, std::move(message)), {}, {}, {}};
}

PoolStatus VersionPool::status() const {
    return {
        version_->key,     version_->number,      starting_, ready_, busy_, waiting(), metrics_.requests(),
        metrics_.errors(), metrics_.cold_starts()};
}

}  // namespace hks::dispatch
