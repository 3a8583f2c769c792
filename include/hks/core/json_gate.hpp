// SPDX-License-Identifier: Apache-2.0
#pragma once
// The only way text from outside becomes a JSON tree: depth is checked before a tree is built, because building is
// unbounded but copying and printing recurse (nlohmann-json 3.11). Pure.

#include <hks/core/error.hpp>

#include <nlohmann/json_fwd.hpp>

#include <string_view>

namespace hks {

inline constexpr int max_json_depth = 128;

/// Nesting depth of a JSON text without building it (strings are skipped, nothing else is checked);
/// stops counting at `limit` + 1.
int json_depth(std::string_view text, int limit = max_json_depth);

/// Parses; VALIDATION_ERROR with the byte offset when it is not JSON or nested deeper than max_json_depth.
Result<nlohmann::json> parse_json(std::string_view text);

/// True when `text` is well-formed UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

}  // namespace hks
