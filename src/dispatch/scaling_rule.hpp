// SPDX-License-Identifier: Apache-2.0
#pragma once
// Every decision of a pool that is more than bookkeeping: how many instances to start, how many calls may be
// sent ahead, how long a refused client should wait, how long a crashing version rests. Pure: numbers in,
// number out.
//
// The rule for starting. A waiting call is worth an instance when it would wait longer than a start takes:
// slots wanted = waiting × service time / start time, never more new ones than calls wait. While the service
// time is unknown the first call starts one instance and the others wait for evidence: each millisecond that
// a running call has not answered is a lower bound of the service time, so a burst on a slow function gets
// all its instances a few milliseconds later, and a burst on a fast one is carried by the first instance.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace hks::dispatch {

using std::chrono::nanoseconds;

/// How long the calls of one version run, as their answers show it.
class ServiceTimes {
  public:
    void record(nanoseconds run);
    bool known() const { return count_ > 0; }
    nanoseconds mean() const { return mean_; }
    nanoseconds recent_max() const { return max_; }  ///< of the last 16

  private:
    std::array<nanoseconds, 16> last_{};
    nanoseconds mean_{0};
    nanoseconds max_{0};
    uint64_t count_ = 0;
};

/// A running mean of how long an instance takes to become ready. `guess`: what it counts for before one was measured,
/// and the least it ever counts for: a worker that was made ahead is taken in no time, but the making of the next one
/// is paid by the same cores.
class StartTimes {
  public:
    explicit StartTimes(nanoseconds guess) : mean_(guess), floor_(guess) {}
    void record(nanoseconds took);
    nanoseconds mean() const { return mean_; }

  private:
    nanoseconds mean_;
    nanoseconds floor_;
    bool known_ = false;
};

/// What is expected before the first start was measured.
nanoseconds start_guess(bool forked_from_zygote);

/// Calls that may be with an instance that runs one at a time, the running one included: 1 unless the service
/// time is known, its mean at most 250 µs and none of the last 16 over 2 ms; then as many as make less than 1
/// ms of work, at most 64.
size_t send_ahead_limit(const ServiceTimes& times);

struct PoolLoad {
    size_t waiting = 0;     ///< calls in the queue
    size_t starting = 0;    ///< instances on their way
    size_t ready = 0;       ///< instances that take calls
    size_t calls_each = 1;  ///< calls that one instance runs at a time
    size_t max_scale = 1;
    bool known = false;  ///< service is measured
    nanoseconds service{0};
    nanoseconds stalled{0};       ///< a lower bound: how long running calls have not answered
    nanoseconds starting_for{0};  ///< age of the oldest start that has not ended
    nanoseconds start_time{1};
};

size_t instances_to_start(const PoolLoad& load);

/// Expected wait of a call that joins the queue now.
nanoseconds forecast_wait(const PoolLoad& load);
/// For Retry-After: the forecast, at least 1 s, at most 60 s.
std::chrono::milliseconds retry_after(const PoolLoad& load);

/// Rest after `failures` starts in a row that went wrong: 100 ms · 2^(n-1), at most 30 s.
std::chrono::milliseconds start_back_off(unsigned failures);
/// Rest after `crashes` instances in a row that died before they answered anything: the first two are
/// replaced at once, later ones within 2 s, because calls wait meanwhile and the next one may be a good one.
std::chrono::milliseconds crash_back_off(unsigned crashes);

}  // namespace hks::dispatch
