// SPDX-License-Identifier: Apache-2.0
#pragma once
// The readers behind spec_from_json(), trigger_from_json() and parse_manifest(): they share one list of
// findings.

#include "object_reader.hpp"

#include <hks/core/function.hpp>

namespace hks {

FunctionSpec read_spec(const nlohmann::json& spec, const SpecLimits& limits, const std::string& path,
                       Findings& findings);
TriggerSpec read_trigger(const nlohmann::json& trigger, const std::string& path, Findings& findings);
std::map<std::string, std::string> read_labels(const nlohmann::json* labels, const std::string& path,
                                               Findings& findings);

/// "3.11" → "3.11", "39" → "3.9", "18.x" → "18"; false when `name` has no such version.
bool normalise_runtime_version(std::string_view name, std::string_view version, std::string& out);

}  // namespace hks
