// SPDX-License-Identifier: Apache-2.0
#pragma once
// What this host lets a sandbox do, found out once by entering one, and the spec every worker starts with.

#include "process/cgroup.hpp"
#include "process/sandbox_enter.h"

#include <hks/core/error.hpp>
#include <hks/runtime/runtime_table.hpp>
#include <hks/runtime/spawner.hpp>

#include <string>
#include <vector>

namespace hks::runtime {

struct HostLayers {
    uint32_t in_force = 0;  ///< bits 1 << hks_layer
    uint32_t wanted = 0;
    hks_sandbox_report report{};
    std::string code_path;  ///< mount point of the bundle; "" = workers see the real path
    bool has(hks_layer layer) const { return (in_force >> layer & 1u) != 0; }
};

/// {"name": "in_force" | "missing (why)" | …} members of capabilities_json.
std::vector<std::pair<std::string, std::string>> describe(const HostLayers& layers);

/// Enters a sandbox in a child of the spawner. Blocking, up to five seconds.
Result<HostLayers> probe_layers(Spawner& spawner, const std::string& data_dir, const RuntimeTable& runtimes,
                                Cgroups& cgroups, uint32_t uid);

/// A folder that can serve as mount point for bundles and that the sandbox does not cover; "" when there is
/// none.
std::string choose_code_path(const std::string& data_dir, const RuntimeTable& runtimes);

}  // namespace hks::runtime
