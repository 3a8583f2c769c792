// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup_files.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

namespace hks::runtime {

bool write_small_file(const std::string& path, std::string_view value) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool written = ::write(fd, value.data(), value.size()) == static_cast<ssize_t>(value.size());
    const int error = errno;
    ::close(fd);
    errno = error;
    return written;
}

std::string read_small_file(const std::string& path) {
    std::string text;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return text;
    char buffer[4096];
    ssize_t n = 0;
    while ((n = ::read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
    ::close(fd);
    return text;
}

bool kill_cgroup(const std::string& path) {
    const std::string members = read_small_file(path + "/cgroup.procs");
    if (members.empty()) return true;
    // Version 2 does it in one step; elsewhere nothing new may be born while we go through the list.
    if (write_small_file(path + "/cgroup.kill", "1")) return false;
    (void)write_small_file(path + "/pids.max", "0");
    const char* at = members.c_str();
    while (*at != 0) {
        char* end = nullptr;
        const long pid = std::strtol(at, &end, 10);
        if (end == at) break;
        if (pid > 1 && pid != ::getpid()) ::kill(static_cast<pid_t>(pid), SIGKILL);
        at = *end == '\n' ? end + 1 : end;
    }
    return false;
}

bool remove_cgroup(const std::string& path, int patience_ms) {
    for (int waited = 0;; waited++) {
        (void)kill_cgroup(path);
        if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return true;
        if (waited >= patience_ms) return false;
        timespec millisecond{0, 1'000'000};
        ::nanosleep(&millisecond, nullptr);
    }
}

void remove_cgroup_tree(const std::string& parent, int patience_ms) {
    if (DIR* folder = ::opendir(parent.c_str())) {
        while (const dirent* entry = ::readdir(folder)) {
            const std::string name = entry->d_name;
            if (entry->d_type == DT_DIR && name != "." && name != "..")
                (void)remove_cgroup(parent + "/" + name, patience_ms);
        }
        ::closedir(folder);
    }
    (void)remove_cgroup(parent, patience_ms);
}

}  // namespace hks::runtime
