// SPDX-License-Identifier: Apache-2.0
#pragma once
// A child process that works until it is killed in the middle of it.

#include <catch2/catch.hpp>
#include <cstdint>
#include <functional>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hks::test {

/// Runs `work` in a child that gets a pipe to acknowledge on, kills it after some milliseconds and returns
/// the last number that was acknowledged (-1: none).
inline int64_t killed_while(const std::function<void(int)>& work, int milliseconds) {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    pid_t child = ::fork();
    if (child == 0) {
        ::close(pipe[0]);
        work(pipe[1]);
        ::_exit(1);
    }
    ::close(pipe[1]);
    ::usleep(static_cast<useconds_t>(milliseconds) * 1000);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    int64_t last = -1, got = 0;
    while (::read(pipe[0], &got, sizeof got) == sizeof got) last = got;
    ::close(pipe[0]);
    return last;
}

inline void acknowledge(int pipe, int64_t number) {
    if (::write(pipe, &number, sizeof number) != sizeof number) ::_exit(2);
}

}  // namespace hks::test
