// SPDX-License-Identifier: Apache-2.0
// Which cgroup hierarchies this server may write, and the sweep of what an earlier one left there.
#include "process/cgroup.hpp"
#include "process/cgroup_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace hks::runtime {

namespace {

bool lists(const std::string& names, const std::string& name, char separator) {
    std::istringstream parts(names);
    for (std::string part; std::getline(parts, part, separator);)
        if (part == name) return true;
    return false;
}

bool lists_word(const std::string& text, const std::string& word) {
    std::istringstream parts(text);
    for (std::string part; parts >> part;)
        if (part == word) return true;
    return false;
}

/// Our own group as a folder of the mounted file system; "" when the mount does not show it.
std::string own_folder(const CgroupMount& mount, const std::string& path) {
    std::string below = path;
    if (mount.root != "/") {
        if (!below.starts_with(mount.root)) return "";
        below.erase(0, mount.root.size());
    }
    if (below == "/") below.clear();
    return mount.mount_point + below;
}

void sweep_earlier(const std::string& folder, const std::string& tag) {
    DIR* entries = ::opendir(folder.c_str());
    while (const dirent* entry = entries ? ::readdir(entries) : nullptr) {
        const std::string name = entry->d_name;
        if (entry->d_type == DT_DIR && name.starts_with(tag + "-"))
            remove_cgroup_tree(folder + "/" + name, 500);
    }
    if (entries) ::closedir(entries);
}

/// Version 2 gives controllers to children only of a group without processes of its own: the server moves
/// down.
std::string free_own_group(const std::string& own) {
    if (write_small_file(own + "/cgroup.subtree_control", "+memory +pids +cpu")) return "";
    const std::string leaf = own + "/hks-server";
    if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return std::strerror(errno);
    const std::string members = read_small_file(own + "/cgroup.procs");
    std::istringstream pids(members);
    for (std::string pid; std::getline(pids, pid);)
        if (!write_small_file(leaf + "/cgroup.procs", pid)) return std::strerror(errno);
    if (write_small_file(own + "/cgroup.subtree_control", "+memory +pids +cpu")) return "";
    return std::strerror(errno);
}

struct Finder {
    std::string own_text = read_small_file("/proc/self/cgroup");
    std::vector<CgroupMount> mounts = parse_cgroup_mounts(read_small_file("/proc/self/mountinfo"));
    std::string tag, run;

    /// The parent folder for our groups of a version 1 controller, or "" and why.
    std::string version1(const std::string& controller, std::string& why) const {
        for (const auto& mount : mounts) {
            if (mount.controllers.empty() || !lists(mount.controllers, controller, ',')) continue;
            const auto path = parse_own_cgroup(own_text, controller);
            const std::string own = path ? own_folder(mount, *path) : "";
            if (own.empty()) continue;
            sweep_earlier(own, tag);
            const std::string parent = own + "/" + tag + "-" + run;
            if (::mkdir(parent.c_str(), 0755) == 0 || errno == EEXIST) return parent;
            why = std::strerror(errno);
        }
        if (why.empty()) why = "no such controller here";
        return "";
    }

    std::string version2(std::string& why) const {
        for (const auto& mount : mounts) {
            const auto path = parse_own_cgroup(own_text, "");
            if (!mount.controllers.empty() || !path) continue;
            const std::string own = own_folder(mount, *path);
            if (own.empty() || !lists_word(read_small_file(own + "/cgroup.controllers"), "memory")) continue;
            sweep_earlier(own, tag);
            why = free_own_group(own);
            if (!why.empty()) return "";
            const std::string parent = own + "/" + tag + "-" + run;
            if (::mkdir(parent.c_str(), 0755) == 0 || errno == EEXIST) {
                if (write_small_file(parent + "/cgroup.subtree_control", "+memory +pids +cpu")) return parent;
            }
            why = std::strerror(errno);
        }
        return "";
    }
};

}  // namespace

std::vector<CgroupMount> parse_cgroup_mounts(const std::string& mountinfo) {
    std::vector<CgroupMount> mounts;
    std::istringstream lines(mountinfo);
    for (std::string line; std::getline(lines, line);) {
        // id parent major:minor root mount_point options [optional…] - type source super_options
        const size_t dash = line.find(" - ");
        if (dash == std::string::npos) continue;
        std::istringstream head(line.substr(0, dash)), tail(line.substr(dash + 3));
        std::string skip, type, super_options;
        CgroupMount mount;
        head >> skip >> skip >> skip >> mount.root >> mount.mount_point;
        tail >> type >> skip >> super_options;
        if (type == "cgroup") mount.controllers = super_options;
        if (type == "cgroup" || type == "cgroup2") mounts.push_back(std::move(mount));
    }
    return mounts;
}

std::optional<std::string> parse_own_cgroup(const std::string& text, const std::string& controller) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const size_t first = line.find(':');
        const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string names = line.substr(first + 1, second - first - 1);
        if (controller.empty() ? names.empty() : lists(names, controller, ','))
            return line.substr(second + 1);
    }
    return std::nullopt;
}

Cgroups Cgroups::detect(const std::string& tag, const std::string& run) {
    Cgroups found;
    Finder finder;
    finder.tag = tag;
    finder.run = run;
    std::string why;
    const std::string unified = finder.version2(why);
    if (!unified.empty()) {
        found.version2_ = true;
        found.memory_ = found.cpu_ = found.pids_ = unified;
        found.parents_ = {unified};
        found.controllers_ = {{"memory", ""}, {"cpu", ""}, {"processes", ""}};
        return found;
    }
    const auto look = [&](const char* controller, const char* shown, std::string& parent) {
        std::string reason;
        parent = finder.version1(controller, reason);
        if (!parent.empty() &&
            std::find(found.parents_.begin(), found.parents_.end(), parent) == found.parents_.end())
            found.parents_.push_back(parent);
        found.controllers_.emplace_back(shown, parent.empty() && !why.empty() ? why : reason);
    };
    look("pids", "processes", found.pids_);
    look("memory", "memory", found.memory_);
    look("cpu", "cpu", found.cpu_);
    return found;
}

}  // namespace hks::runtime
