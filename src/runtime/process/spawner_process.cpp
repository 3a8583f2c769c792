// SPDX-License-Identifier: Apache-2.0
#include "process/spawner_process.hpp"

#include "process/cgroup_files.hpp"
#include "process/sandbox_enter.h"
#include "process/spawner_protocol.hpp"
#include "process/unix_message.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <linux/close_range.h>
#include <map>
#include <poll.h>
#include <sched.h>
#include <string>
#include <string_view>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace hks::runtime {

namespace {

constexpr int exit_no_sandbox = 125, exit_no_program = 126;

/// Takes NUL-terminated strings off the front of a payload.
class Strings {
  public:
    explicit Strings(std::string_view rest) : rest_(rest) {}
    bool empty() const { return rest_.empty(); }
    /// nullptr when there is none.
    const char* next() {
        const size_t end = rest_.find('\0');
        if (end == std::string_view::npos) return nullptr;
        const char* text = rest_.data();
        rest_.remove_prefix(end + 1);
        return text;
    }

  private:
    std::string_view rest_;
};

std::vector<pid_t> own_children() {
    std::vector<pid_t> pids;
    const std::string self = std::to_string(::getpid());
    const std::string text = read_small_file("/proc/self/task/" + self + "/children");
    if (!text.empty() || ::access(("/proc/self/task/" + self + "/children").c_str(), R_OK) == 0) {
        for (const char* at = text.c_str(); *at != 0;) {
            char* end = nullptr;
            const long pid = std::strtol(at, &end, 10);
            if (end == at) break;
            pids.push_back(static_cast<pid_t>(pid));
            at = *end == ' ' ? end + 1 : end;
        }
        return pids;
    }
    // Kernels without CONFIG_PROC_CHILDREN.
    DIR* proc = ::opendir("/proc");
    while (const dirent* entry = proc ? ::readdir(proc) : nullptr) {
        const pid_t pid = std::atoi(entry->d_name);
        if (pid <= 0) continue;
        const std::string stat = read_small_file("/proc/" + std::string(entry->d_name) + "/stat");
        const size_t end_of_name = stat.rfind(')');
        int parent = 0;
        if (end_of_name != std::string::npos &&
            std::sscanf(stat.c_str() + end_of_name + 1, " %*c %d", &parent) == 1 && parent == ::getpid())
            pids.push_back(pid);
    }
    if (proc) ::closedir(proc);
    return pids;
}

class SpawnerProcess {
  public:
    explicit SpawnerProcess(int socket) : socket_(socket), buffer_(max_spawner_message) {}

    [[noreturn]] void run();

  private:
    struct Child {
        uint64_t serial = 0;
        bool binds = false;  ///< a helper of bind_code
    };

    void serve_one();
    void handle(const SpawnerRequest& request, std::string_view payload);
    void execute(const SpawnerRequest& request, std::string_view payload);
    [[noreturn]] void become(const SpawnerRequest& request, std::string_view payload);
    void probe(const SpawnerRequest& request, std::string_view payload);
    void bind_code(const SpawnerRequest& request, std::string_view payload);
    void sweep(std::string_view payload);
    void reap();
    void report(ReportKind kind, uint64_t serial, int pid, int status);
    pid_t fork_child(uint64_t serial, bool binds);
    [[noreturn]] void end();

    int socket_;
    int signals_ = -1;
    std::vector<char> buffer_;
    std::vector<int> descriptors_;
    std::map<pid_t, Child> children_;
    std::map<uint64_t, pid_t> workers_;
    std::vector<std::string> cgroup_parents_;
    std::string instances_folder_;
};

void SpawnerProcess::report(ReportKind kind, uint64_t serial, int pid, int status) {
    SpawnReport out;
    out.kind = kind;
    out.pid = pid;
    out.serial = serial;
    out.status = status;
    (void)send_message(socket_, {reinterpret_cast<const char*>(&out), sizeof out}, {}, 5000);
}

pid_t SpawnerProcess::fork_child(uint64_t serial, bool binds) {
    const pid_t pid = ::fork();
    if (pid != 0) {
        if (pid > 0)
            children_[pid] = Child{serial, binds};
        else
            report(binds ? ReportKind::bound : ReportKind::failed, serial, 0, errno);
        return pid;
    }
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::close(signals_);
    return 0;
}

void SpawnerProcess::become(const SpawnerRequest& request, std::string_view payload) {
    hks_sandbox_spec spec{};
    if (request.sandboxed != 0) {
        std::memcpy(&spec, payload.data(), sizeof spec);
        payload.remove_prefix(sizeof spec);
    }
    Strings strings(payload);
    std::vector<char*> arguments, environment;
    for (uint32_t i = 0; i < request.argument_count; i++)
        arguments.push_back(const_cast<char*>(strings.next()));
    for (uint32_t i = 0; i < request.environment_count; i++)
        environment.push_back(const_cast<char*>(strings.next()));
    arguments.push_back(nullptr);
    environment.push_back(nullptr);
    if (request.sandboxed != 0) {
        if (hks_sandbox_enter(&spec, descriptors_.data(), static_cast<int>(descriptors_.size())) != 0)
            ::_exit(exit_no_sandbox);
    } else {
        ::setsid();
        // A zygote that outlived its spawner would keep nobody's promises.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        ::dup2(null, 0);
        ::dup2(null, 1);
        std::vector<int> lifted;
        for (const int fd : descriptors_) lifted.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, 32));
        for (size_t i = 0; i < lifted.size(); i++) ::dup2(lifted[i], static_cast<int>(3 + i));
        ::syscall(SYS_close_range, static_cast<unsigned>(3 + lifted.size()), ~0u, 0u);
    }
    ::execve(arguments[0], arguments.data(), environment.data());
    ::dprintf(2, "cannot run %s: %s\n", arguments[0], std::strerror(errno));
    ::_exit(exit_no_program);
}

void SpawnerProcess::execute(const SpawnerRequest& request, std::string_view payload) {
    const pid_t pid = fork_child(request.serial, false);
    if (pid == 0) become(request, payload);
    if (pid < 0) return;
    workers_[request.serial] = pid;
    report(ReportKind::started, request.serial, pid, 0);
}

void SpawnerProcess::probe(const SpawnerRequest& request, std::string_view payload) {
    hks_sandbox_spec spec{};
    if (payload.size() < sizeof spec) return;
    std::memcpy(&spec, payload.data(), sizeof spec);
    if (fork_child(request.serial, false) != 0) return;
    ::_exit(hks_sandbox_enter(&spec, descriptors_.data(), static_cast<int>(descriptors_.size())) == 0
                ? 0
                : exit_no_sandbox);
}

int open_namespace(pid_t pid, const char* name) {
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/" + name;
    return ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
}

/// In the helper: 0 or errno.
int join_and_bind(pid_t pid, const char* source, const char* target, uint64_t tmp_bytes) {
    // The bundle may lie below a folder that the worker sees covered (its own /tmp), so the tree is taken
    // here.
    const int tree =
        static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    const int mounts = open_namespace(pid, "mnt");
    const int own = open_namespace(::getpid(), "mnt");
    struct stat theirs {
    }, ours{};
    if (mounts < 0 || own < 0 || ::fstat(mounts, &theirs) != 0 || ::fstat(own, &ours) != 0) return errno;
    // A worker that has not left our namespace must never have anything mounted: it would be for the whole
    // host.
    if (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev) return EXDEV;
    if (tree < 0) {
        const int users = open_namespace(pid, "user");
        if (users < 0 || ::setns(users, CLONE_NEWUSER) != 0) return errno;
    }
    if (::setns(mounts, CLONE_NEWNS) != 0) return errno;
    if (tree < 0) return hks_sandbox_bind_code(source, target, tmp_bytes);
    return hks_sandbox_attach_code(tree, target, tmp_bytes);
}

void SpawnerProcess::bind_code(const SpawnerRequest& request, std::string_view payload) {
    Strings strings(payload);
    const char* source = strings.next();
    const char* target = strings.next();
    const auto worker = workers_.find(request.serial);
    if (worker == workers_.end() || source == nullptr || target == nullptr) {
        report(ReportKind::bound, request.serial, 0, ESRCH);
        return;
    }
    if (fork_child(request.serial, true) == 0) {
        // An exit code holds every errno there is.
        ::_exit(join_and_bind(worker->second, source, target, request.tmp_bytes));
    }
}

void SpawnerProcess::sweep(std::string_view payload) {
    std::vector<int32_t> alive(payload.size() / sizeof(int32_t));
    if (!alive.empty()) std::memcpy(alive.data(), payload.data(), alive.size() * sizeof(int32_t));
    for (const pid_t pid : own_children()) {
        if (children_.contains(pid)) continue;
        if (std::find(alive.begin(), alive.end(), pid) != alive.end()) continue;
        ::kill(-pid, SIGKILL);
        ::kill(pid, SIGKILL);
    }
}

void SpawnerProcess::handle(const SpawnerRequest& request, std::string_view payload) {
    switch (request.op) {
        case SpawnerOp::adopt_places: {
            Strings strings(payload);
            if (const char* folder = strings.next()) instances_folder_ = folder;
            while (const char* parent = strings.next()) cgroup_parents_.emplace_back(parent);
            break;
        }
        case SpawnerOp::execute:
            execute(request, payload);
            break;
        case SpawnerOp::bind_code:
            bind_code(request, payload);
            break;
        case SpawnerOp::sweep_orphans:
            sweep(payload);
            break;
        case SpawnerOp::probe:
            probe(request, payload);
            break;
    }
}

void SpawnerProcess::serve_one() {
    const long size = receive_message(socket_, buffer_, descriptors_);
    if (size == 0 || (size < 0 && errno != EAGAIN)) end();
    SpawnerRequest request;
    if (size >= static_cast<long>(sizeof request)) {
        std::memcpy(&request, buffer_.data(), sizeof request);
        handle(request, {buffer_.data() + sizeof request, static_cast<size_t>(size) - sizeof request});
    }
    for (const int fd : descriptors_) ::close(fd);
    descriptors_.clear();
}

void SpawnerProcess::reap() {
    siginfo_t info{};
    while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        const pid_t pid = info.si_pid;
        // While it is a zombie its number cannot belong to anybody else: what is left of its group goes now.
        ::kill(-pid, SIGKILL);
        int status = 0;
        if (::waitpid(pid, &status, 0) != pid) break;
        const auto known = children_.find(pid);
        const Child child = known == children_.end() ? Child{} : known->second;
        if (known != children_.end()) children_.erase(known);
        if (child.binds) {
            report(ReportKind::bound, child.serial, pid, WIFEXITED(status) ? WEXITSTATUS(status) : EINTR);
        } else {
            workers_.erase(child.serial);
            report(ReportKind::exited, child.serial, pid, status);
        }
        info.si_pid = 0;
    }
}

void SpawnerProcess::end() {
    for (const auto& parent : cgroup_parents_) {
        if (DIR* folder = ::opendir(parent.c_str())) {
            while (const dirent* entry = ::readdir(folder))
                if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
                    (void)kill_cgroup(parent + "/" + entry->d_name);
            ::closedir(folder);
        }
    }
    // Whoever lost its parent comes to us: the subreaper sees the last descendant end.
    for (int round = 0; round < 5000; round++) {
        for (const pid_t pid : own_children()) {
            ::kill(-pid, SIGKILL);
            ::kill(pid, SIGKILL);
        }
        pid_t ended = 0;
        while ((ended = ::waitpid(-1, nullptr, WNOHANG)) > 0) continue;
        if (ended < 0 && errno == ECHILD) break;
        ::usleep(1000);
    }
    for (const auto& parent : cgroup_parents_) remove_cgroup_tree(parent, 2000);
    std::error_code ignored;
    if (!instances_folder_.empty()) std::filesystem::remove_all(instances_folder_, ignored);
    ::_exit(0);
}

void SpawnerProcess::run() {
    ::prctl(PR_SET_NAME, "hks-spawner");
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::setsid();
    ::clearenv();
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
    if (socket_ != 3) {
        ::dup3(socket_, 3, O_CLOEXEC);
        socket_ = 3;
    }
    ::syscall(SYS_close_range, 4u, ~0u, 0u);
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &child, nullptr);
    signals_ = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    std::array<pollfd, 2> waits{pollfd{socket_, POLLIN, 0}, pollfd{signals_, POLLIN, 0}};
    while (true) {
        if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) end();
        if (waits[1].revents != 0) {
            signalfd_siginfo drained;
            while (::read(signals_, &drained, sizeof drained) > 0) continue;
            reap();
        }
        if (waits[0].revents != 0) serve_one();
    }
}

}  // namespace

void run_spawner(int socket) {
    SpawnerProcess(socket).run();
}

}  // namespace hks::runtime
