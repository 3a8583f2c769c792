/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a Python zygote, in C because an interpreter that forks from Python code writes to a few hundred pages,
 * and each of them is copied, on both sides, at every fork. Called from shims/python/zygote.py with the interpreter's
 * lock held in its only thread; comes back in children only. The fork is the bare one: the hooks that Python runs after
 * os.fork() mend locks and threads, and there is nothing to mend. */
#define _GNU_SOURCE
#include "sandbox_enter.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_DESCRIPTORS = 12, EXIT_NO_SANDBOX = 125 };

/* ForkRequest and SpawnReport of spawner_protocol.hpp. */
struct request {
    uint64_t serial;
    struct hks_sandbox_spec spec;
};

enum report_kind { STARTED = 1, EXITED = 2, FAILED = 4, READY = 5 };

struct report {
    uint32_t kind;
    int32_t pid;
    uint64_t serial;
    int32_t status;
    uint32_t reserved;
};
_Static_assert(sizeof(struct report) == 24, "as SpawnReport");

struct child {
    pid_t pid;
    uint64_t serial;
};

static struct {
    int control, signals;
    struct child* children;
    size_t count, room;
    sigset_t old_mask;
    struct sigaction old_action[3];
} zygote;

static struct request current; /* a child keeps its own for hks_zygote_bind() */
static const int ignored[3] = {SIGINT, SIGTERM, SIGHUP};

static void report(enum report_kind kind, uint64_t serial, pid_t pid, int status) {
    const struct report out = {.kind = kind, .pid = pid, .serial = serial, .status = status};
    if (send(zygote.control, &out, sizeof out, MSG_NOSIGNAL) < 0) _exit(0); /* the server has gone */
}

static void remember(pid_t pid, uint64_t serial) {
    if (zygote.count == zygote.room) {
        const size_t room = zygote.room ? zygote.room * 2 : 64;
        struct child* grown = realloc(zygote.children, room * sizeof *grown);
        if (grown == NULL) return; /* its end is then reported by pid alone */
        zygote.children = grown;
        zygote.room = room;
    }
    zygote.children[zygote.count++] = (struct child){pid, serial};
}

static uint64_t forget(pid_t pid) {
    for (size_t i = 0; i < zygote.count; i++) {
        if (zygote.children[i].pid != pid) continue;
        const uint64_t serial = zygote.children[i].serial;
        zygote.children[i] = zygote.children[--zygote.count];
        return serial;
    }
    return 0;
}

static void reap(void) {
    struct signalfd_siginfo drained;
    while (read(zygote.signals, &drained, sizeof drained) > 0) continue;
    siginfo_t ended = {0};
    while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0) {
        const pid_t pid = ended.si_pid;
        kill(-pid, SIGKILL); /* while it is a zombie, its group can be nobody else's */
        int status = 0;
        if (waitpid(pid, &status, 0) != pid) return;
        report(EXITED, forget(pid), pid, status);
        ended.si_pid = 0;
    }
}

/* In the child. */
static void leave_loop(const int* fds, int fd_count) {
    for (int i = 0; i < 3; i++) sigaction(ignored[i], &zygote.old_action[i], NULL);
    sigprocmask(SIG_SETMASK, &zygote.old_mask, NULL);
    /* It closes everything else as well. */
    if (hks_sandbox_prepare(&current.spec, fds, fd_count) != 0) _exit(EXIT_NO_SANDBOX);
}

/* One request; 1 in the child. */
static int serve_one(void) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int) * MOST_DESCRIPTORS)];
    } control;
    struct iovec data = {&current, sizeof current};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    const ssize_t size = recvmsg(zygote.control, &message, MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) return 0;
    if (size <= 0) _exit(0); /* the server has gone */
    int fds[MOST_DESCRIPTORS];
    int fd_count = 0;
    for (struct cmsghdr* at = CMSG_FIRSTHDR(&message); at != NULL; at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
        const int more = (int)((at->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < more && fd_count < MOST_DESCRIPTORS; i++)
            memcpy(&fds[fd_count++], CMSG_DATA(at) + sizeof(int) * (size_t)i, sizeof(int));
    }
    if (size == sizeof current) {
        const pid_t pid = fork();
        if (pid == 0) {
            leave_loop(fds, fd_count);
            return 1;
        }
        if (pid > 0) {
            remember(pid, current.serial);
            report(STARTED, current.serial, pid, 0);
        } else {
            report(FAILED, current.serial, 0, errno);
        }
    }
    for (int i = 0; i < fd_count; i++) close(fds[i]);
    return 0;
}

void hks_zygote_serve(int control) {
    zygote.control = control;
    for (int i = 0; i < 3; i++) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigaction(ignored[i], &ignore, &zygote.old_action[i]);
    }
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &zygote.old_mask);
    zygote.signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    report(READY, 0, getpid(), 0);
    struct pollfd waits[2] = {{control, POLLIN, 0}, {zygote.signals, POLLIN, 0}};
    while (1) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR) _exit(0);
        if (waits[1].revents) reap();
        if (waits[0].revents && serve_one()) return;
    }
}

int hks_zygote_bind(const char* code, uint64_t tmp_bytes, uint64_t file_bytes) {
    return hks_sandbox_bind(&current.spec, code, tmp_bytes, file_bytes);
}
