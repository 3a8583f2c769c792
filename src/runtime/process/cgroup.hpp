// SPDX-License-Identifier: Apache-2.0
#pragma once
// The kernel's limits on memory, processes and CPU, one group an instance, on cgroup v1 and v2. Cgroups finds
// once what this server may write and keeps a few groups ready ahead, because making one costs more than a
// fork's share. Everything below one parent named after the data directory and this run, so that a later
// server can sweep it. Loop thread; small file operations only.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hks::runtime {

struct CgroupLimits {
    uint64_t memory = 0;                ///< bytes
    uint32_t cpu = 100;                 ///< weight, thousandths of a core
    std::optional<uint32_t> cpu_limit;  ///< quota, thousandths of a core
    uint32_t processes = 256;
};

/// Where a process of ours would be limited; pure parts, for tests.
struct CgroupMount {
    std::string controllers;  ///< "memory", "cpu,cpuacct"; "" = version 2
    std::string root, mount_point;
};
std::vector<CgroupMount> parse_cgroup_mounts(const std::string& mountinfo);
/// Path of our own group for a controller ("" = version 2) in the text of /proc/self/cgroup; nullopt when
/// absent.
std::optional<std::string> parse_own_cgroup(const std::string& text, const std::string& controller);
/// Value of "key N" in a flat keyed file; 0 when absent.
uint64_t parse_keyed(const std::string& text, const std::string& key);

/// One instance's group: a folder in each hierarchy. Movable; the folders stay until remove().
class Cgroup {
  public:
    bool empty() const { return folders_.empty(); }
    bool limits_memory() const { return !memory_.empty(); }
    /// Opens cgroup.procs of each folder for writing; the caller closes them.
    std::vector<int> open_members() const;
    void set_limits(const CgroupLimits& limits) const;
    /// How often the kernel killed inside for memory.
    uint64_t memory_kills() const;
    void kill() const;
    /// False while something is still inside: try again later.
    bool remove();

  private:
    friend class Cgroups;
    std::vector<std::string> folders_;  ///< the one that bounds processes first
    std::string memory_, cpu_, pids_;   ///< of folders_
    bool version2_ = false;
};

class Cgroups {
  public:
    /// `tag` names the data directory, `run` this server; sweeps groups of earlier runs with the same tag.
    static Cgroups detect(const std::string& tag, const std::string& run);

    bool limits_memory() const { return !memory_.empty(); }
    bool any() const { return !parents_.empty(); }
    /// "memory" / "cpu" / "processes" → "" when in force, else why not.
    const std::vector<std::pair<std::string, std::string>>& controllers() const { return controllers_; }
    const std::vector<std::string>& parents() const { return parents_; }

    /// A group with these limits; empty() when there is none to be had.
    Cgroup take(const CgroupLimits& limits);
    /// Makes one group ahead; false when there are enough.
    bool prepare_one();
    void remove_all();
    /// remove_all(), and none are used from now on: the sandbox cannot enter them.
    void forget();

  private:
    Cgroup make();

    std::vector<std::string> parents_;
    std::string memory_, cpu_, pids_;  ///< parents by controller
    bool version2_ = false;
    std::vector<std::pair<std::string, std::string>> controllers_;
    std::vector<Cgroup> ready_;
    uint64_t last_name_ = 0;
};

}  // namespace hks::runtime
