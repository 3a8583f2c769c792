// SPDX-License-Identifier: Apache-2.0
#pragma once
// Values ↔ the text and integers of rows. Pure.

#include <hks/core/clock.hpp>
#include <hks/core/function.hpp>

#include <map>
#include <string>

namespace hks::registry {

int64_t to_micros(WallTime time);
WallTime from_micros(int64_t micros);

std::string labels_to_text(const std::map<std::string, std::string>& labels);
Result<std::map<std::string, std::string>> labels_from_text(const std::string& text);
std::string spec_to_text(const FunctionSpec& spec);
/// Without the server's present limits: what was accepted once stays readable.
Result<FunctionSpec> spec_from_text(const std::string& text);
std::string trigger_to_text(const TriggerSpec& trigger);
Result<TriggerSpec> trigger_from_text(const std::string& text);

}  // namespace hks::registry
