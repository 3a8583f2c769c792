// SPDX-License-Identifier: Apache-2.0
#pragma once
// YAML 1.2 (core schema) text → JSON, with the line of every field. Bounded: text, nodes and depth, aliases
// expanded included. Duplicate keys, tags, several documents and recursive aliases are errors.

#include <hks/core/error.hpp>

#include <nlohmann/json.hpp>

#include <functional>
#include <map>
#include <string>

namespace hks {

inline constexpr size_t max_yaml_text = 1 << 20;
inline constexpr size_t max_yaml_nodes = 10'000;
inline constexpr size_t max_yaml_depth = 64;

struct YamlDocument {
    nlohmann::json value;
    std::map<std::string, int> lines;  ///< path → line of its key, 1-based
};

/// Paths are dotted ("spec.triggers[0].path") and begin with `root`. `keep_text(path)`: true where an
/// unquoted 3.10 means the text and not the number. An empty text is a JSON null. path.
Result<YamlDocument> read_yaml(const std::string& text, const std::string& root,
                               const std::function<bool(const std::string& path)>& keep_text);

}  // namespace hks
