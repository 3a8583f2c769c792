// SPDX-License-Identifier: Apache-2.0
#include "scaling_rule.hpp"

namespace hks::dispatch {
namespace {

using namespace std::chrono_literals;

constexpr nanoseconds fast_mean = 250us;
constexpr nanoseconds fast_max = 2ms;
constexpr nanoseconds work_ahead = 1ms;
constexpr size_t most_ahead = 64;
/// Starts that run in parallel while nothing is known but that starting takes long.
constexpr size_t blind_starts = 4;

size_t divide_up(uint64_t a, uint64_t b) {
    return static_cast<size_t>((a + b - 1) / b);
}

size_t minus(size_t a, size_t b) {
    return a > b ? a - b : 0;
}

/// Slots with which the queue is empty after one start time. Bounded by the queue: more would idle.
size_t slots_wanted(const PoolLoad& load, nanoseconds service) {
    const double starts = static_cast<double>(load.waiting) * static_cast<double>(service.count()) /
                          static_cast<double>(std::max<int64_t>(load.start_time.count(), 1));
    constexpr double plenty = 1e6;
    return static_cast<size_t>(std::min(starts, plenty)) + 1;
}

}  // namespace

void ServiceTimes::record(nanoseconds run) {
    nanoseconds& oldest = last_[count_ % last_.size()];
    const bool max_leaves = oldest == max_;
    oldest = run;
    mean_ = count_ == 0 ? run : mean_ + (run - mean_) / 8;
    ++count_;
    if (run >= max_)
        max_ = run;
    else if (max_leaves)
        max_ = *std::max_element(last_.begin(), last_.end());
}

void StartTimes::record(nanoseconds took) {
    took = std::max(took, floor_);
    mean_ = known_ ? mean_ + (took - mean_) / 4 : took;
    known_ = true;
}

nanoseconds start_guess(bool forked_from_zygote) {
    return forked_from_zygote ? 5ms : 40ms;
}

size_t send_ahead_limit(const ServiceTimes& times) {
    if (!times.known() || times.mean() > fast_mean || times.recent_max() > fast_max) return 1;
    const auto fit = static_cast<size_t>(work_ahead / std::max(times.mean(), nanoseconds(1)));
    return std::clamp<size_t>(fit, 1, most_ahead);
}

size_t instances_to_start(const PoolLoad& load) {
    const size_t alive = load.starting + load.ready;
    const size_t room = minus(load.max_scale, alive);
    if (load.waiting == 0 || room == 0) return 0;
    const nanoseconds service = std::max(load.known ? load.service : 0ns, load.stalled);
    if (service == 0ns) {
        if (alive == 0) return 1;
        if (load.ready > 0 || load.starting_for < 4 * load.start_time) return 0;
        return std::min(room, minus(std::min(load.waiting, blind_starts), load.starting));
    }
    const size_t have = alive * load.calls_each;
    const size_t missing = std::min(minus(slots_wanted(load, service), have),
                                    minus(load.waiting, load.starting * load.calls_each));
    if (alive == 0 && missing == 0) return 1;
    return std::min(room, divide_up(missing, load.calls_each));
}

nanoseconds forecast_wait(const PoolLoad& load) {
    const nanoseconds service = std::max(load.known ? load.service : 0ns, load.stalled);
    const size_t slots = (load.ready + load.starting) * load.calls_each;
    const auto work = static_cast<double>(service.count()) * static_cast<double>(load.waiting + 1);
    constexpr double hour = 3.6e12;
    const auto wait =
        static_cast<int64_t>(std::min(work / static_cast<double>(std::max<size_t>(slots, 1)), hour));
    return nanoseconds(wait) + (load.ready == 0 ? load.start_time : 0ns);
}

std::chrono::milliseconds retry_after(const PoolLoad& load) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(forecast_wait(load));
    return std::clamp<std::chrono::milliseconds>(wait, 1s, 60s);
}

std::chrono::milliseconds start_back_off(unsigned failures) {
    if (failures == 0) return 0ms;
    return std::min<std::chrono::milliseconds>(100ms * (int64_t{1} << std::min(failures - 1, 20u)), 30s);
}

std::chrono::milliseconds crash_back_off(unsigned crashes) {
    return crashes <= 2 ? 0ms : std::min<std::chrono::milliseconds>(start_back_off(crashes - 2), 2s);
}

}  // namespace hks::dispatch
