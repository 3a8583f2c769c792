// SPDX-License-Identifier: Apache-2.0
#include "command_runner.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hks::build {
namespace {

using namespace std::chrono_literals;
constexpr milliseconds watch_period = 1s;
constexpr milliseconds polling_period = 20ms;  ///< where the kernel has no pidfd
constexpr milliseconds grace = 2s;             ///< between SIGTERM and SIGKILL
constexpr size_t max_line_bytes = 8 * 1024;

class Descriptor {
  public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() { reset(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    void reset(int fd = -1) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }
    int get() const { return fd_; }

  private:
    int fd_;
};

/// Cuts output into lines; a progress bar that redraws itself with "\r" shows its last state.
class Lines {
  public:
    Lines(const std::function<void(std::string_view)>& sink, size_t max_bytes)
        : sink_(sink), left_(max_bytes) {}

    void add(std::string_view bytes) {
        if (bytes.size() > left_) {
            cut_ = true;
            bytes = bytes.substr(0, left_);
        }
        left_ -= bytes.size();
        for (const char c : bytes) {
            if (c == '\n' || line_.size() >= max_line_bytes) emit();
            if (c != '\n') line_ += c;
        }
    }
    void end() {
        if (!line_.empty()) emit();
    }
    bool cut() const { return cut_; }

  private:
    void emit() {
        std::string_view text = line_;
        while (text.ends_with('\r')) text.remove_suffix(1);
        text.remove_prefix(text.rfind('\r') + 1);
        sink_(text);
        line_.clear();
    }

    const std::function<void(std::string_view)>& sink_;
    size_t left_;
    bool cut_ = false;
    std::string line_;
};

class FileActions {
  public:
    FileActions() { posix_spawn_file_actions_init(&actions_); }
    ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;
    posix_spawn_file_actions_t* get() { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_;
};

class Attributes {
  public:
    Attributes() {
        posix_spawnattr_init(&attributes_);
        sigset_t none, all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setflags(&attributes_,
                                 POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        posix_spawnattr_setpgroup(&attributes_, 0);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setsigdefault(&attributes_, &all);
    }
    ~Attributes() { posix_spawnattr_destroy(&attributes_); }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    posix_spawnattr_t* get() { return &attributes_; }

  private:
    posix_spawnattr_t attributes_;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
    out.push_back(nullptr);
    return out;
}

int spawn(const Command& command, int output, pid_t& pid) {
    FileActions actions;
    posix_spawn_file_actions_addopen(actions.get(), 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(actions.get(), output, 1);
    posix_spawn_file_actions_adddup2(actions.get(), output, 2);
    posix_spawn_file_actions_addclosefrom_np(actions.get(), 3);
    if (!command.folder.empty()) posix_spawn_file_actions_addchdir_np(actions.get(), command.folder.c_str());
    Attributes attributes;
    auto argv = pointers(command.argv);
    auto environment = pointers(command.environment);
    return posix_spawn(&pid, argv[0], actions.get(), attributes.get(), argv.data(), environment.data());
}

/// A started program, until it and its group are gone.
class Running {
  public:
    Running(const Command& command, const StopSignal& stop, pid_t pid, int output)
        : command_(command), stop_(stop), pid_(pid), lines_(command.on_line, command.max_output_bytes) {
        output_.reset(output);
        process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        next_watch_ = std::chrono::steady_clock::now() + watch_period;
    }

    Result<CommandResult> wait() {
        while (!has_exited()) {
            poll_once();
            const SteadyTime now = std::chrono::steady_clock::now();
            if (!ending_) look_for_reasons(now);
            if (ending_ && now >= kill_at_) ::kill(-pid_, SIGKILL);
        }
        // The dead leader still holds the group's number, so this cannot hit anybody else.
        ::kill(-pid_, SIGKILL);
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        while (output_.get() >= 0 && read_some()) {
        }
        lines_.end();
        if (failure_) return *failure_;
        if (!ending_) {
            result_.end = WIFSIGNALED(status) ? CommandResult::End::signalled : CommandResult::End::exited;
            result_.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
        }
        result_.output_cut = lines_.cut();
        return result_;
    }

  private:
    bool has_exited() const {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid != 0;
    }

    void poll_once() {
        const auto now = std::chrono::steady_clock::now();
        SteadyTime until = std::min(command_.deadline, next_watch_);
        if (ending_) until = std::max(kill_at_, now + polling_period);
        if (process_.get() < 0) until = std::min(until, now + polling_period);
        const auto wait =
            std::chrono::ceil<milliseconds>(std::max(until - now, SteadyTime::duration::zero()));
        std::array<pollfd, 3> waits{{{output_.get(), POLLIN, 0},
                                     {process_.get(), POLLIN, 0},
                                     {ending_ ? -1 : stop_.descriptor(), POLLIN, 0}}};
        ::poll(waits.data(), waits.size(), static_cast<int>(std::min(wait, watch_period).count()));
        if (waits[0].revents != 0) read_some();
    }

    /// False when there is nothing more for now.
    bool read_some() {
        const ssize_t n = ::read(output_.get(), buffer_.data(), buffer_.size());
        if (n > 0) lines_.add({buffer_.data(), static_cast<size_t>(n)});
        if (n == 0) output_.reset();
        return n > 0 || (n < 0 && errno == EINTR);
    }

    void look_for_reasons(SteadyTime now) {
        if (stop_.raised()) return end(CommandResult::End::stopped);
        if (now >= command_.deadline) return end(CommandResult::End::timed_out);
        if (!command_.watch || now < next_watch_) return;
        next_watch_ = now + watch_period;
        if (auto fine = command_.watch(); !fine) {
            failure_ = fine.error();
            end(CommandResult::End::stopped);
        }
    }

    void end(CommandResult::End why) {
        ending_ = true;
        result_.end = why;
        kill_at_ = std::chrono::steady_clock::now() + grace;
        ::kill(-pid_, SIGTERM);
    }

    const Command& command_;
    const StopSignal& stop_;
    const pid_t pid_;
    Descriptor output_, process_;
    Lines lines_;
    SteadyTime next_watch_{}, kill_at_{};
    bool ending_ = false;
    CommandResult result_;
    std::optional<Error> failure_;
    std::array<char, 16 * 1024> buffer_{};
};

}  // namespace

std::string CommandResult::text() const {
    switch (end) {
        case End::exited:
            return "exited with code " + std::to_string(code);
        case End::signalled:
            return std::string("was ended by signal ") + std::to_string(code) + " (" + strsignal(code) + ")";
        case End::timed_out:
            return "took too long";
        case End::stopped:
            return "was interrupted";
    }
    return "";
}

Result<CommandResult> run_command(const Command& command, const StopSignal& stop) {
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0)
        return Error(Errc::provider_error, std::string("No pipe for a build: ") + std::strerror(errno) +
                                               ". Raise the server's limit of open files.");
    Descriptor write_end(pipe[1]);
    ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
    pid_t pid = 0;
    const int failed = spawn(command, write_end.get(), pid);
    if (failed != 0) {
        ::close(pipe[0]);
        return Error(Errc::build_failed, "Cannot start '" + command.argv[0] + "': " + std::strerror(failed) +
                                             ". Install it on the server's host.");
    }
    write_end.reset();
    return Running(command, stop, pid, pipe[0]).wait();
}

}  // namespace hks::build
