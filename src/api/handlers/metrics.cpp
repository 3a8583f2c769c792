// SPDX-License-Identifier: Apache-2.0
#include "../context.hpp"
#include "../objects.hpp"
#include "handlers.hpp"

#include <hks/dispatch/dispatcher.hpp>
#include <hks/telemetry/metrics.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>

namespace hks::api {

using nlohmann::json;

namespace {

/// The buckets of several versions' histograms, added up.
struct Durations {
    std::array<uint64_t, telemetry::Histogram::bounds.size() + 1> buckets{};
    uint64_t count = 0;
    double sum_seconds = 0;

    void add(const telemetry::Histogram& histogram) {
        for (size_t i = 0; i < buckets.size(); ++i) buckets[i] += histogram.bucket(i);
        count += histogram.count();
        sum_seconds += histogram.sum_seconds();
    }

    /// Milliseconds; linear within the bucket, as Prometheus' histogram_quantile() does it.
    double quantile(double q) const {
        const double rank = q * static_cast<double>(count);
        double below = 0;
        for (size_t i = 0; i < buckets.size(); ++i) {
            const auto here = static_cast<double>(buckets[i]);
            if (below + here < rank || here == 0) {
                below += here;
                continue;
            }
            const double low = i == 0 ? 0 : telemetry::Histogram::bounds[i - 1];
            const double high =
                telemetry::Histogram::bounds[std::min(i, telemetry::Histogram::bounds.size() - 1)];
            return 1000 * (low + (high - low) * (rank - below) / here);
        }
        return 1000 * telemetry::Histogram::bounds.back();
    }
};

json rounded(double milliseconds) {
    return std::round(milliseconds * 1000) / 1000;
}

json durations_json(const Durations& durations) {
    if (durations.count == 0) return {{"avg", nullptr}, {"p50", nullptr}, {"p95", nullptr}, {"p99", nullptr}};
    return {{"avg", rounded(1000 * durations.sum_seconds / static_cast<double>(durations.count))},
            {"p50", rounded(durations.quantile(0.5))},
            {"p95", rounded(durations.quantile(0.95))},
            {"p99", rounded(durations.quantile(0.99))}};
}

json counts_json(const dispatch::PoolStatus& pool, const Durations& durations) {
    return {{"requests", pool.requests},
            {"errors", pool.errors},
            {"cold_starts", pool.cold_starts},
            {"queued", pool.queued},
            {"instances", {{"starting", pool.starting}, {"ready", pool.ready}, {"busy", pool.busy}}},
            {"duration_ms", durations_json(durations)}};
}

}  // namespace

Result<ApiResponse> function_metrics(Context& context, const ApiRequest& request) {
    const auto function = context.find_function(request.workspace(), request.function());
    if (!function) return function_not_found(request.function());
    dispatch::PoolStatus total;
    Durations all;
    json versions = json::array();
    for (const auto& pool : context.services.dispatcher.status(function->workspace, function->name)) {
        // The series of a pool that is there exists: asking for it makes none.
        Durations own;
        own.add(context.services.metrics.histogram("hks_request_duration_seconds", "",
                                                   {{"workspace", function->workspace},
                                                    {"function", function->name},
                                                    {"version", std::to_string(pool.version)}}));
        json item = counts_json(pool, own);
        item["version"] = pool.version;
        versions.push_back(std::move(item));
        total.requests += pool.requests;
        total.errors += pool.errors;
        total.cold_starts += pool.cold_starts;
        total.queued += pool.queued;
        total.starting += pool.starting;
        total.ready += pool.ready;
        total.busy += pool.busy;
        for (size_t i = 0; i < all.buckets.size(); ++i) all.buckets[i] += own.buckets[i];
        all.count += own.count;
        all.sum_seconds += own.sum_seconds;
    }
    json out = counts_json(total, all);
    out["function"] = function->name;
    out["versions"] = std::move(versions);
    return json_response(200, out);
}

}  // namespace hks::api
