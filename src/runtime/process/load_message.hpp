// SPDX-License-Identifier: Apache-2.0
#pragma once
// The LOAD frame's JSON: what a worker is told about the version it is bound to. Pure.

#include <hks/runtime/instance.hpp>

#include <string>

namespace hks::runtime {

struct LoadMessage {
    std::string code;         ///< folder of the bundle as the worker sees it
    std::string sandbox_code; ///< the same relative to hks_sandbox_spec::code_source, for hks_sandbox_bind()
    std::string temporary;    ///< HOME and TMPDIR
    std::string interpreter;  ///< its folder comes first in PATH
};

/// All of the function's environment, in the order of precedence: what the contract names, over the
/// function's variables and secrets, over the defaults for PATH HOME TMPDIR LANG TZ.
std::vector<std::pair<std::string, std::string>> function_environment(const LaunchSpec& spec,
                                                                      const LoadMessage& load);

std::string load_json(const LaunchSpec& spec, const LoadMessage& load);

}  // namespace hks::runtime
