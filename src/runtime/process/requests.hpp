// SPDX-License-Identifier: Apache-2.0
#pragma once
// Texts of the messages to the spawner. Pure.

#include "process/spawner_protocol.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hks::runtime {

/// `spec` null: not sandboxed, the descriptors become 3, 4, ….
std::string execute_request(uint64_t serial, const hks_sandbox_spec* spec,
                            const std::vector<std::string>& arguments,
                            const std::vector<std::string>& environment);
std::string bind_request(uint64_t serial, std::string_view source, std::string_view target,
                         uint64_t tmp_bytes);
std::string places_request(std::string_view instances_folder, std::span<const std::string> cgroup_parents);
std::string probe_request(uint64_t serial, const hks_sandbox_spec& spec);
std::string sweep_request(std::span<const int32_t> alive);

}  // namespace hks::runtime
