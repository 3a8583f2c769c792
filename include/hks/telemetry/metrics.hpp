// SPDX-License-Identifier: Apache-2.0
#pragma once
// Counters, gauges and histograms in Prometheus text format. A series is created once (that takes a lock) and then
// held by reference; adding to it is one relaxed atomic. Owned by Application, outlives every holder of a series.
// Series of a function that is gone are removed by remove_series().

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hks::telemetry {

class Counter {
  public:
    void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<uint64_t> value_{0};
};

class Gauge {
  public:
    void set(int64_t v) { value_.store(v, std::memory_order_relaxed); }
    void add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
    int64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<int64_t> value_{0};
};

/// Durations in seconds, buckets 100 µs … 100 s, three a decade (1, 2.5, 5).
class Histogram {
  public:
    static constexpr std::array<double, 19> bounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                   0.025,  0.05,    0.1,    0.25,  0.5,    1,     2.5,
                                                   5,      10,      25,     50,    100};
    void observe_us(uint64_t microseconds);
    uint64_t count() const;
    double sum_seconds() const { return static_cast<double>(sum_us_.load(std::memory_order_relaxed)) / 1e6; }
    uint64_t bucket(size_t i) const { return buckets_[i].load(std::memory_order_relaxed); }  ///< not cumulative

  private:
    std::array<std::atomic<uint64_t>, bounds.size() + 1> buckets_{};
    std::atomic<uint64_t> sum_us_{0};
};

using Labels = std::vector<std::pair<std::string, std::string>>;

class MetricsRegistry {
  public:
    MetricsRegistry();
    ~MetricsRegistry();
    MetricsRegistry(const MetricsRegistry&) = delete;
    MetricsRegistry& operator=(const MetricsRegistry&) = delete;

    /// The series of `name` with `labels`; the same one for the same arguments. `help` is kept from the first call.
    Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
    Histogram& histogram(std::string_view name, std::string_view help, const Labels& labels = {});

    /// Forgets every series that carries all of these labels. References to them stay valid until the registry ends,
    /// they are just no longer shown, until the same series is asked for again. No labels: nothing is removed.
    void remove_series(const Labels& labels);
    /// Prometheus text exposition format 0.0.4.
    std::string render() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hks::telemetry
