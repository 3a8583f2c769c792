// SPDX-License-Identifier: Apache-2.0
#include "row_text.hpp"

#include <hks/core/json_gate.hpp>

#include <nlohmann/json.hpp>

#include <limits>

namespace hks::registry {

namespace {

/// Values of a row may hold any bytes that came from outside; storing them must not throw.
std::string dump(const nlohmann::json& value) {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

int64_t to_micros(WallTime time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

WallTime from_micros(int64_t micros) {
    return WallTime(std::chrono::microseconds(micros));
}

std::string labels_to_text(const std::map<std::string, std::string>& labels) {
    return dump(labels);
}

Result<std::map<std::string, std::string>> labels_from_text(const std::string& text) {
    auto json = parse_json(text);
    if (!json) return json.error();
    std::map<std::string, std::string> labels;
    for (const auto& [key, value] : json->items())
        if (value.is_string()) labels[key] = value.get<std::string>();
    return labels;
}

std::string spec_to_text(const FunctionSpec& spec) {
    return dump(spec_to_json(spec));
}

Result<FunctionSpec> spec_from_text(const std::string& text) {
    auto json = parse_json(text);
    if (!json) return json.error();
    SpecLimits limits{std::numeric_limits<uint64_t>::max(), milliseconds::max()};
    return spec_from_json(*json, limits);
}

std::string trigger_to_text(const TriggerSpec& trigger) {
    return dump(trigger_to_json(trigger));
}

Result<TriggerSpec> trigger_from_text(const std::string& text) {
    auto json = parse_json(text);
    if (!json) return json.error();
    return trigger_from_json(*json);
}

}  // namespace hks::registry
