// SPDX-License-Identifier: Apache-2.0
#include "pool_metrics.hpp"

#include <algorithm>

namespace hks::dispatch {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(Failure::count)> failure_names{
    "exception",  "crash",         "out_of_memory", "timeout", "start",
    "queue_full", "queue_timeout", "overloaded",    "removed", "stream_broken"};
constexpr std::array<std::string_view, 6> class_names{"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
constexpr std::array<std::string_view, 4> state_names{"starting", "idle", "busy", "leaving"};

telemetry::Labels with(telemetry::Labels labels, std::string_view name, std::string_view value) {
    labels.emplace_back(name, value);
    return labels;
}

}  // namespace

PoolMetrics::PoolMetrics(telemetry::MetricsRegistry& registry, const Version& version)
    : registry_(registry),
      labels_{{"workspace", version.workspace},
              {"function", version.function},
              {"version", std::to_string(version.number)}},
      duration_(registry.histogram("hks_request_duration_seconds",
                                   "Time from arrival to the end of the answer.", labels_)),
      run_(registry.histogram("hks_run_duration_seconds", "Time that the handler ran.", labels_)),
      cold_(
          registry.counter("hks_cold_starts_total", "Calls that waited for an instance to start.", labels_)),
      queued_(registry.gauge("hks_queue_depth", "Calls that wait for an instance.", labels_)) {
    for (size_t i = 0; i < state_names.size(); ++i) {
        instances_[i] =
            &registry.gauge("hks_instances", "Instances by state.", with(labels_, "state", state_names[i]));
    }
}

PoolMetrics::~PoolMetrics() {
    registry_.remove_series(labels_);
}

void PoolMetrics::count_status(int status) {
    const auto i = static_cast<size_t>(std::clamp(status / 100, 0, 5));
    if (!requests_[i]) {
        requests_[i] = &registry_.counter("hks_requests_total", "Calls by class of their answer's status.",
                                          with(labels_, "code", class_names[i]));
    }
    requests_[i]->add();
    ++requests_total_;
    if (i == 5) ++errors_total_;
}

void PoolMetrics::answered(int status, uint64_t total_us, uint64_t run_us) {
    count_status(status);
    duration_.observe_us(total_us);
    run_.observe_us(run_us);
}

void PoolMetrics::failed(int status, Failure why) {
    count_status(status);
    count_error(why);
}

void PoolMetrics::count_error(Failure why) {
    const auto i = static_cast<size_t>(why);
    if (!errors_[i]) {
        errors_[i] = &registry_.counter("hks_errors_total", "Calls that failed, by reason.",
                                        with(labels_, "type", failure_names[i]));
    }
    errors_[i]->add();
}

void PoolMetrics::cold_start() {
    cold_.add();
}

void PoolMetrics::set_instances(size_t starting, size_t leaving) {
    instances_[0]->set(static_cast<int64_t>(starting));
    instances_[3]->set(static_cast<int64_t>(leaving));
}

}  // namespace hks::dispatch
