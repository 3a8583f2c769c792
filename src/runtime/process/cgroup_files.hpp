// SPDX-License-Identifier: Apache-2.0
#pragma once
// What both the server and its spawner do with the folders of a cgroup file system: plain functions over
// paths.

#include <string>
#include <string_view>

namespace hks::runtime {

/// False when the file cannot be opened or the kernel refuses the value (errno says why).
bool write_small_file(const std::string& path, std::string_view value);
/// "" when it cannot be read.
std::string read_small_file(const std::string& path);

/// No more forks inside, then SIGKILL for every process. True when none was left to kill.
bool kill_cgroup(const std::string& path);
/// kill_cgroup() until it is empty, then rmdir; false when it is still there after about `patience_ms`.
bool remove_cgroup(const std::string& path, int patience_ms);
/// remove_cgroup() for all children of `parent`, then for itself.
void remove_cgroup_tree(const std::string& parent, int patience_ms);

}  // namespace hks::runtime
