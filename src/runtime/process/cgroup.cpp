// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup.hpp"

#include "process/cgroup_files.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hks::runtime {

namespace {
constexpr size_t ready_ahead = 4;
}

uint64_t parse_keyed(const std::string& text, const std::string& key) {
    size_t at = 0;
    while (at < text.size()) {
        const size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line(text.data() + at, end - at);
        if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ') {
            uint64_t value = 0;
            std::from_chars(line.data() + key.size() + 1, line.data() + line.size(), value);
            return value;
        }
        at = end + 1;
    }
    return 0;
}

std::vector<int> Cgroup::open_members() const {
    std::vector<int> fds;
    for (const auto& folder : folders_) {
        const int fd = ::open((folder + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
        if (fd >= 0) fds.push_back(fd);
    }
    return fds;
}

void Cgroup::set_limits(const CgroupLimits& limits) const {
    const std::string memory = std::to_string(limits.memory);
    const std::string quota = limits.cpu_limit ? std::to_string(uint64_t{*limits.cpu_limit} * 100) : "";
    if (!memory_.empty() && version2_) {
        write_small_file(memory_ + "/memory.max", memory);
        write_small_file(memory_ + "/memory.swap.max", "0");
        write_small_file(memory_ + "/memory.oom.group", "1");
    } else if (!memory_.empty()) {
        write_small_file(memory_ + "/memory.limit_in_bytes", memory);
        write_small_file(memory_ + "/memory.memsw.limit_in_bytes", memory);
    }
    if (!pids_.empty()) write_small_file(pids_ + "/pids.max", std::to_string(limits.processes));
    if (!cpu_.empty() && version2_) {
        write_small_file(cpu_ + "/cpu.weight", std::to_string(std::clamp(limits.cpu / 10, 1u, 10'000u)));
        if (!quota.empty()) write_small_file(cpu_ + "/cpu.max", quota + " 100000");
    } else if (!cpu_.empty()) {
        write_small_file(cpu_ + "/cpu.shares",
                         std::to_string(std::max<uint64_t>(2, uint64_t{limits.cpu} * 1024 / 1000)));
        if (!quota.empty()) write_small_file(cpu_ + "/cpu.cfs_quota_us", quota);
    }
}

uint64_t Cgroup::memory_kills() const {
    if (memory_.empty()) return 0;
    return parse_keyed(read_small_file(memory_ + (version2_ ? "/memory.events" : "/memory.oom_control")),
                       "oom_kill");
}

void Cgroup::kill() const {
    if (!folders_.empty()) (void)kill_cgroup(folders_.front());
}

bool Cgroup::remove() {
    std::erase_if(folders_,
                  [](const std::string& folder) { return ::rmdir(folder.c_str()) == 0 || errno == ENOENT; });
    return folders_.empty();
}

Cgroup Cgroups::make() {
    Cgroup group;
    if (parents_.empty()) return group;
    const std::string name = "/i" + std::to_string(++last_name_);
    group.version2_ = version2_;
    for (const auto* parent : {&pids_, &memory_, &cpu_}) {
        if (parent->empty()) continue;
        const std::string folder = *parent + name;
        const bool known =
            std::find(group.folders_.begin(), group.folders_.end(), folder) != group.folders_.end();
        if (!known) {
            if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) continue;
            group.folders_.push_back(folder);
        }
        if (parent == &pids_) group.pids_ = folder;
        if (parent == &memory_) group.memory_ = folder;
        if (parent == &cpu_) group.cpu_ = folder;
    }
    return group;
}

Cgroup Cgroups::take(const CgroupLimits& limits) {
    Cgroup group;
    if (ready_.empty()) {
        group = make();
    } else {
        group = std::move(ready_.back());
        ready_.pop_back();
    }
    group.set_limits(limits);
    return group;
}

bool Cgroups::prepare_one() {
    if (parents_.empty() || ready_.size() >= ready_ahead) return false;
    ready_.push_back(make());
    return ready_.size() < ready_ahead;
}

void Cgroups::remove_all() {
    ready_.clear();
    for (const auto& parent : parents_) remove_cgroup_tree(parent, 2000);
}

void Cgroups::forget() {
    remove_all();
    parents_.clear();
    memory_.clear();
    cpu_.clear();
    pids_.clear();
    for (auto& [name, why] : controllers_)
        if (why.empty()) why = "processes cannot be moved into a group";
}

}  // namespace hks::runtime
