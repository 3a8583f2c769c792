// SPDX-License-Identifier: Apache-2.0
#pragma once
// What create, replace, patch and new versions have in common. Blocking.

#include "../context.hpp"
#include "../deploy_body.hpp"

#include <string>
#include <utility>
#include <vector>

namespace hks::api {

struct Deployed {
    registry::FunctionRecord function;
    registry::VersionRecord version;
    std::vector<std::string> notes;  ///< for the user: "python3.9 is not on this host…"
};

/// Adds a version to `current` and starts its build: with the code of the body, else with the code that the
/// function has now.
Result<Deployed> deploy_version(Context& context, const registry::FunctionRecord& current, DeployBody body,
                                const std::string& expected_revision);

/// VALIDATION_ERROR when the body names another workspace, or another function, than the path.
Result<void> check_workspace(const DeployBody& body, const std::string& workspace);
Result<void> check_target(const DeployBody& body, const registry::FunctionRecord& current);

/// The function object with its new `version` and the `notes`.
nlohmann::json deployed_json(const Deployed& deployed, const std::string& base_url);

}  // namespace hks::api
