// SPDX-License-Identifier: Apache-2.0
#include <hks/core/json_gate.hpp>
#include <hks/telemetry/metrics.hpp>

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace hks::telemetry {
namespace {

constexpr auto bounds_us = [] {
    std::array<uint64_t, Histogram::bounds.size()> out{};
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint64_t>(Histogram::bounds[i] * 1e6 + 0.5);
    return out;
}();

std::string number(double value) {
    char text[64];
    const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr;
    return {text, end};
}

std::string escape(std::string_view text, bool quotes) {
    const bool utf8 = is_utf8(text);
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '"' && quotes)
            out += "\\\"";
        else
            out += utf8 || static_cast<unsigned char>(c) < 0x80 ? c : '?';
    }
    return out;
}

/// a="1",b="2" in the order given.
std::string label_text(const Labels& labels) {
    std::string out;
    for (const auto& [key, value] : labels) {
        if (!out.empty()) out += ',';
        out += key + "=\"" + escape(value, true) + '"';
    }
    return out;
}

struct Series {
    Labels labels;
    std::string text;
    bool shown = true;
    Counter counter;
    Gauge gauge;
    std::unique_ptr<Histogram> histogram;
};

enum class Kind { counter, gauge, histogram };

constexpr std::string_view kind_name(Kind kind) {
    constexpr std::array<std::string_view, 3> names{"counter", "gauge", "histogram"};
    return names[static_cast<size_t>(kind)];
}

struct Family {
    Kind kind = Kind::counter;
    std::string help;
    std::map<std::string, std::unique_ptr<Series>, std::less<>> series;  ///< by sorted labels
};

void append_sample(std::string& out, std::string_view name, std::string_view labels, std::string_view extra,
                   const std::string& value) {
    out += name;
    if (!labels.empty() || !extra.empty()) {
        out += '{';
        out += labels;
        if (!labels.empty() && !extra.empty()) out += ',';
        out += extra;
        out += '}';
    }
    out += ' ';
    out += value;
    out += '\n';
}

void append_histogram(std::string& out, const std::string& name, const Series& series) {
    const Histogram& histogram = *series.histogram;
    uint64_t total = 0;  // from the same reads as the buckets, so that +Inf and _count agree
    for (size_t i = 0; i <= Histogram::bounds.size(); ++i) {
        total += histogram.bucket(i);
        const auto le = i < Histogram::bounds.size() ? number(Histogram::bounds[i]) : std::string("+Inf");
        append_sample(out, name + "_bucket", series.text, "le=\"" + le + "\"", std::to_string(total));
    }
    append_sample(out, name + "_sum", series.text, {}, number(histogram.sum_seconds()));
    append_sample(out, name + "_count", series.text, {}, std::to_string(total));
}

void append_series(std::string& out, const std::string& name, Kind kind, const Series& series) {
    switch (kind) {
        case Kind::counter:
            append_sample(out, name, series.text, {}, std::to_string(series.counter.value()));
            break;
        case Kind::gauge:
            append_sample(out, name, series.text, {}, std::to_string(series.gauge.value()));
            break;
        case Kind::histogram:
            append_histogram(out, name, series);
            break;
    }
}

bool carries(const Series& series, const Labels& labels) {
    return std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
        return std::find(series.labels.begin(), series.labels.end(), label) != series.labels.end();
    });
}

}  // namespace

void Histogram::observe_us(uint64_t microseconds) {
    size_t i = 0;
    while (i < bounds_us.size() && microseconds > bounds_us[i]) ++i;
    buckets_[i].fetch_add(1, std::memory_order_relaxed);
    sum_us_.fetch_add(microseconds, std::memory_order_relaxed);
}

uint64_t Histogram::count() const {
    uint64_t total = 0;
    for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
    return total;
}

struct MetricsRegistry::State {
    mutable std::mutex mutex;
    std::map<std::string, Family, std::less<>> families;

    Series& series(Kind kind, std::string_view name, std::string_view help, const Labels& labels) {
        std::lock_guard lock(mutex);
        auto family = families.find(name);
        if (family == families.end())
            family = families.emplace(std::string(name), Family{kind, std::string(help), {}}).first;
        if (family->second.kind != kind)
            throw std::logic_error("metric " + std::string(name) + " is used as two kinds");
        Labels sorted = labels;
        std::sort(sorted.begin(), sorted.end());
        auto& slot = family->second.series[label_text(sorted)];
        if (!slot) {
            slot = std::make_unique<Series>();
            slot->labels = labels;
            slot->text = label_text(labels);
            if (kind == Kind::histogram) slot->histogram = std::make_unique<Histogram>();
        }
        slot->shown = true;
        return *slot;
    }
};

MetricsRegistry::MetricsRegistry() : state_(std::make_unique<State>()) {}

MetricsRegistry::~MetricsRegistry() = default;

Counter& MetricsRegistry::counter(std::string_view name, std::string_view help, const Labels& labels) {
    return state_->series(Kind::counter, name, help, labels).counter;
}

Gauge& MetricsRegistry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
    return state_->series(Kind::gauge, name, help, labels).gauge;
}

Histogram& MetricsRegistry::histogram(std::string_view name, std::string_view help, const Labels& labels) {
    return *state_->series(Kind::histogram, name, help, labels).histogram;
}

void MetricsRegistry::remove_series(const Labels& labels) {
    if (labels.empty()) return;
    std::lock_guard lock(state_->mutex);
    for (auto& [name, family] : state_->families)
        for (auto& [key, series] : family.series)
            if (carries(*series, labels)) series->shown = false;
}

std::string MetricsRegistry::render() const {
    std::lock_guard lock(state_->mutex);
    std::string out;
    for (const auto& [name, family] : state_->families) {
        bool titled = false;
        for (const auto& [key, series] : family.series) {
            if (!series->shown) continue;
            if (!titled) {
                out += "# HELP " + name + ' ' + escape(family.help, false) + '\n';
                out += "# TYPE " + name + ' ';
                out += kind_name(family.kind);
                out += '\n';
                titled = true;
            }
            append_series(out, name, family.kind, *series);
        }
    }
    return out;
}

}  // namespace hks::telemetry
