// SPDX-License-Identifier: Apache-2.0
#pragma once
// The texts that describe a function (a manifest, a bare spec, the body of a deploy), read as what they are
// before anybody knows which one it is. Pure.

#include <hks/core/yaml.hpp>

#include <map>
#include <string>
#include <vector>

namespace hks {

/// YAML or JSON; what a spec means as text stays text (version: 3.10). Paths begin with `root`.
Result<YamlDocument> read_function_text(const std::string& text, const std::string& root = {});

/// Gives errors the lines of their fields, and their order. A field that is not in the text (a missing one)
/// gets the line of the nearest thing round it that is.
void add_lines(const std::map<std::string, int>& lines, std::vector<FieldError>& errors);

}  // namespace hks
