// SPDX-License-Identifier: Apache-2.0
#include "process/sampler.hpp"

#include "process/cgroup_files.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace hks::runtime {

namespace {

constexpr size_t most_processes = 1024;

std::vector<int> tree_of(int pid) {
    std::vector<int> pids{pid};
    for (size_t i = 0; i < pids.size() && pids.size() < most_processes; i++) {
        const std::string tasks = "/proc/" + std::to_string(pids[i]) + "/task";
        DIR* folder = ::opendir(tasks.c_str());
        while (const dirent* task = folder ? ::readdir(folder) : nullptr) {
            if (task->d_name[0] == '.') continue;
            const std::string children = read_small_file(tasks + "/" + task->d_name + "/children");
            for (const char* at = children.c_str(); *at != 0;) {
                char* end = nullptr;
                const long child = std::strtol(at, &end, 10);
                if (end == at) break;
                pids.push_back(static_cast<int>(child));
                at = *end == ' ' ? end + 1 : end;
            }
        }
        if (folder) ::closedir(folder);
    }
    return pids;
}

uint64_t resident(int pid) {
    const std::string text = read_small_file("/proc/" + std::to_string(pid) + "/statm");
    unsigned long long total = 0, pages = 0;
    if (std::sscanf(text.c_str(), "%llu %llu", &total, &pages) != 2) return 0;
    return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// 0 when the kernel does not show it to us.
uint64_t proportional(int pid) {
    const std::string text = read_small_file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    const char* line = std::strstr(text.c_str(), "\nPss:");
    return line == nullptr ? 0 : std::strtoull(line + 5, nullptr, 10) * 1024;
}

}  // namespace

uint64_t memory_of(int pid, uint64_t enough) {
    const std::vector<int> pids = tree_of(pid);
    uint64_t sum = 0;
    for (const int member : pids) sum += resident(member);
    if (sum < enough) return sum;
    sum = 0;
    for (const int member : pids) {
        const uint64_t share = proportional(member);
        sum += share != 0 ? share : resident(member);
    }
    return sum;
}

}  // namespace hks::runtime
