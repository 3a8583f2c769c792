// SPDX-License-Identifier: Apache-2.0
#pragma once
// The series of one version, held by reference. Names and labels: README.md of this folder.

#include <hks/core/version.hpp>
#include <hks/telemetry/metrics.hpp>

#include <array>
#include <string_view>

namespace hks::dispatch {

enum class Failure : uint8_t {
    exception,
    crash,
    out_of_memory,
    timeout,
    start,
    queue_full,
    queue_timeout,
    overloaded,
    removed,
    stream_broken,
    count,
};

class PoolMetrics {
  public:
    PoolMetrics(telemetry::MetricsRegistry& registry, const Version& version);
    ~PoolMetrics();  ///< the series are no longer shown
    PoolMetrics(const PoolMetrics&) = delete;
    PoolMetrics& operator=(const PoolMetrics&) = delete;

    void answered(int status, uint64_t total_us, uint64_t run_us);
    void failed(int status, Failure why);
    void count_error(Failure why);  ///< of a call that is counted already
    void cold_start();
    void set_queued(size_t n) { queued_.set(static_cast<int64_t>(n)); }
    void set_instances(size_t starting, size_t leaving);
    void set_busy(size_t idle, size_t busy) {
        instances_[1]->set(static_cast<int64_t>(idle));
        instances_[2]->set(static_cast<int64_t>(busy));
    }

    uint64_t requests() const { return requests_total_; }
    uint64_t errors() const { return errors_total_; }
    uint64_t cold_starts() const { return cold_.value(); }

  private:
    void count_status(int status);

    telemetry::MetricsRegistry& registry_;
    telemetry::Labels labels_;
    std::array<telemetry::Counter*, 6> requests_{};  // by class, made when first seen
    std::array<telemetry::Counter*, static_cast<size_t>(Failure::count)> errors_{};  // likewise
    telemetry::Histogram& duration_;
    telemetry::Histogram& run_;
    telemetry::Counter& cold_;
    telemetry::Gauge& queued_;
    std::array<telemetry::Gauge*, 4> instances_{};
    uint64_t requests_total_ = 0, errors_total_ = 0;
};

}  // namespace hks::dispatch
