// SPDX-License-Identifier: Apache-2.0
#include "net/deadlines.hpp"

#include <algorithm>
#include <ctime>

namespace hks::net {

namespace {

constexpr int64_t granularity_ms = 250;

void unlink(WatchHook& hook) {
    hook.previous->next = hook.next;
    hook.next->previous = hook.previous;
    hook.kind = Watch::none;
}

}  // namespace

Deadlines::Deadlines(boost::asio::io_context& loop, std::function<void(WatchHook&, Watch)> on_expired)
    : timer_(loop), on_expired_(std::move(on_expired)) {}

int64_t Deadlines::now_ms() {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

void Deadlines::set_duration(Watch kind, std::chrono::milliseconds duration) {
    durations_[static_cast<size_t>(kind)] = duration.count();
}

void Deadlines::watch(WatchHook& hook, Watch kind) {
    if (hook.kind != Watch::none) unlink(hook);
    if (kind == Watch::none || stopped_) return;
    List& list = lists_[static_cast<size_t>(kind)];
    hook.kind = kind;
    hook.deadline_ms = now_ms() + durations_[static_cast<size_t>(kind)];
    hook.previous = list.previous;
    hook.next = &list;
    list.previous->next = &hook;
    list.previous = &hook;
    if (armed_for_ == 0 || hook.deadline_ms + granularity_ms < armed_for_) arm(hook.deadline_ms);
}

void Deadlines::stop() {
    stopped_ = true;
    timer_.cancel();
}

void Deadlines::arm(int64_t deadline_ms) {
    armed_for_ = (deadline_ms / granularity_ms + 1) * granularity_ms;
    timer_.expires_after(std::chrono::milliseconds(std::max<int64_t>(armed_for_ - now_ms(), 1)));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error && !stopped_) on_timer();
    });
}

void Deadlines::on_timer() {
    armed_for_ = 0;
    const int64_t now = now_ms();
    int64_t nearest = 0;
    for (List& list : lists_) {
        while (list.next != &list && list.next->deadline_ms <= now) {
            WatchHook& hook = *list.next;
            const Watch kind = hook.kind;
            unlink(hook);
            on_expired_(hook, kind);
        }
        if (list.next != &list && (nearest == 0 || list.next->deadline_ms < nearest))
            nearest = list.next->deadline_ms;
    }
    if (nearest != 0 && !stopped_) arm(nearest);
}

}  // namespace hks::net
