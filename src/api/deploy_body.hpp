// SPDX-License-Identifier: Apache-2.0
#pragma once
// The bodies that carry a function: JSON (spec or short forms, source_code) and multipart (spec, archive),
// for create, replace and new versions alike. Pure.

#include <hks/build/build_service.hpp>
#include <hks/core/function.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace hks::api {

struct DeployBody {
    std::string name;                                          ///< "" = not said
    std::string workspace;                                     ///< of a manifest; "" = not said
    std::optional<FunctionSpec> spec;                          ///< nothing = not said
    std::optional<std::map<std::string, std::string>> labels;  ///< nothing = not said
    bool traffic = true;                                       ///< switch to the version when it is built
    bool has_code = false;
    build::BuildSource source;
};

/// `base` is what short forms are put over: a default spec when the function is new or replaced whole, the
/// current one when a version is added to it. Reports every wrong field; `creating`: also a name or code that
/// is not there.
Result<DeployBody> read_deploy_body(std::string_view content_type, std::string_view body,
                                    const FunctionSpec& base, const SpecLimits& limits,
                                    bool creating = false);

}  // namespace hks::api
