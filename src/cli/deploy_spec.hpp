// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a deploy sends, put together from function.yaml, the function as it is on the server, and flags. Pure.

#include "api_client.hpp"

#include <hks/core/function.hpp>

#include <optional>
#include <string>
#include <vector>

namespace hks::cli {

/// The flags of `hks function deploy` that say something about the function; unset ones say nothing.
struct DeployFlags {
    std::optional<std::string> runtime, handler, memory, cpu, timeout;
    std::optional<int> concurrency, min_scale, max_scale;
    std::vector<std::string> triggers;         ///< types
    std::vector<std::string> trigger_config;   ///< "K=V", dotted keys
    std::vector<std::string> variables;        ///< "K=V"
    std::vector<std::string> secrets;          ///< "ENV=NAME/KEY"
    std::vector<std::string> labels;           ///< "K=V"
    std::string env_file_text;                 ///< contents of --env-file
};

/// `base` (a manifest's spec or the deployed one; an object) with the flags put over it. Trigger types replace the
/// triggers; trigger members alone are put over the one trigger there is, or the one that a member `name` names.
Result<Json> apply_flags(Json base, const DeployFlags& flags);
Result<Json> apply_labels(Json labels, const DeployFlags& flags);

/// "--trigger-config" pairs → the members of a trigger: dotted keys nest, the first '=' splits, the value is a YAML
/// scalar or flow list, a repeated key appends.
Result<Json> trigger_members(const std::vector<std::string>& pairs);

/// KEY=VALUE lines; '#' comments, blank lines, `export ` and surrounding quotes are understood.
Result<std::vector<std::pair<std::string, std::string>>> parse_env_file(const std::string& text);

}  // namespace hks::cli
