// SPDX-License-Identifier: Apache-2.0
#include "process/spawner_process.hpp"
#include "process/unix_message.hpp"

#include <hks/runtime/spawner.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hks::runtime {

Result<std::unique_ptr<Spawner>> Spawner::fork() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return Error(Errc::provider_error,
                     std::string("cannot make the spawner's socket: ") + std::strerror(errno));
    const int size = 1 << 20;
    (void)::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    (void)::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    const pid_t pid = ::fork();
    if (pid < 0) {
        const int error = errno;
        ::close(ends[0]);
        ::close(ends[1]);
        return Error(Errc::provider_error, std::string("cannot fork the spawner: ") + std::strerror(error));
    }
    if (pid == 0) {
        ::close(ends[0]);
        run_spawner(ends[1]);
    }
    ::close(ends[1]);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return std::unique_ptr<Spawner>(new Spawner(ends[0], pid));
}

Spawner::~Spawner() {
    ::close(socket_);
    // It ends what is left of the workers first; a spawner that cannot is no reason to hang.
    for (int waited_ms = 0; waited_ms < 10'000; waited_ms++) {
        const pid_t ended = ::waitpid(pid_, nullptr, WNOHANG);
        if (ended == pid_ || (ended < 0 && errno == ECHILD)) return;
        timespec millisecond{0, 1'000'000};
        ::nanosleep(&millisecond, nullptr);
    }
    ::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
}

Result<void> Spawner::send(std::string_view message, std::span<const int> descriptors) {
    const int error = send_message(socket_, message, descriptors, 1000);
    if (error == 0) return {};
    return Error(Errc::provider_error, std::string("the spawner does not take requests (") +
                                           std::strerror(error) + "): restart the server");
}

}  // namespace hks::runtime
