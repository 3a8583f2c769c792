/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Turns the calling process into a sandboxed worker, layer by layer. One implementation in plain C: linked
 * into the server for its spawner, and built as a tiny shared object that the Python zygote loads, so that a
 * forked child can call it without exec. Async-signal-safe enough for a fork of a single-threaded process: no
 * malloc, no stdio. What happened is written to the shared page, see hks_sandbox_report. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hks_layer {
    HKS_LAYER_SESSION,        /* session and process group of its own */
    HKS_LAYER_CGROUP,         /* memory, cpu and process limits of the kernel */
    HKS_LAYER_USER_NAMESPACE, /* only when the server is not root */
    HKS_LAYER_MOUNT_NAMESPACE,
    HKS_LAYER_HOST_READ_ONLY, /* every mount of the host */
    HKS_LAYER_PRIVATE_TMP,    /* one bounded tmpfs on /tmp, /var/tmp and /dev/shm */
    HKS_LAYER_CODE_READ_ONLY, /* the bundle, bind-mounted at code_path */
    HKS_LAYER_RLIMITS,
    HKS_LAYER_OWN_UID,
    HKS_LAYER_CAPABILITIES, /* none, and none to be had */
    HKS_LAYER_NO_NEW_PRIVS,
    HKS_LAYER_NOT_DUMPABLE,
    HKS_LAYER_DESCRIPTORS, /* 0 to 4 and nothing else */
    HKS_LAYER_COUNT
};

#define HKS_SANDBOX_MAX_CGROUPS 4
#define HKS_SANDBOX_REPORT_OFFSET 64 /* in the shared page */
#define HKS_SANDBOX_PAGE_FD 4
#define HKS_SANDBOX_ROOT_FD 5 /* between hks_sandbox_prepare() and hks_sandbox_bind() only */

/* Descriptors are indices into the array given beside the spec; -1 = none. */
struct hks_sandbox_spec {
    uint32_t size;      /* sizeof(struct hks_sandbox_spec): both sides were built together */
    uint32_t wanted;    /* bits 1 << hks_layer */
    uint32_t required;  /* of these: without them the process must not run */
    uint32_t subreaper; /* keep orphaned descendants: without a cgroup they could not be found again */
    uint32_t uid, gid;
    int32_t oom_score_adj;
    uint32_t open_files;
    uint32_t processes; /* of this uid; 0 = leave */
    uint32_t reserved;
    uint64_t tmp_bytes;
    uint64_t file_bytes; /* largest file; 0 = leave */
    int32_t stdout_fd, stderr_fd, connection_fd, page_fd;
    int32_t source_fd; /* becomes 5; for workers that read their program from there */
    int32_t cgroup_fd[HKS_SANDBOX_MAX_CGROUPS]; /* cgroup.procs, open for writing */
    char code_source[1024];                     /* "" = bound later; hks_sandbox_prepare: all code lies below it */
    char code_path[256];                        /* mount point */
    char work_dir[256];                         /* without a private /tmp: made, and given to the uid */
};

struct hks_sandbox_report {
    uint32_t in_force;               /* bits */
    uint32_t failed;                 /* layer + 1 that ended the attempt; 0 = none */
    uint32_t error[HKS_LAYER_COUNT]; /* errno of each layer that was refused */
};

/* 0, or -1 when a required layer is missing: the caller must exit at once. */
int hks_sandbox_enter(const struct hks_sandbox_spec* spec, const int* fds, int fd_count);

/* The same in two steps, for a process that is made before it is known what it will run and that runs nothing
 * but our own code in between. prepare: session, groups, namespaces, /tmp, descriptors, the slow part. bind:
 * the code (a path relative to spec->code_source), the sizes that belong to it, and then the way down: limits,
 * uid, capabilities. Both 0, or -1 and the caller must exit. */
int hks_sandbox_prepare(const struct hks_sandbox_spec* spec, const int* fds, int fd_count);
int hks_sandbox_bind(const struct hks_sandbox_spec* spec, const char* code, uint64_t tmp_bytes,
                     uint64_t file_bytes);

/* For the short-lived helper that has joined a worker's mount namespace: binds the bundle and sizes /tmp. 0
 * or errno. */
int hks_sandbox_bind_code(const char* code_source, const char* code_path, uint64_t tmp_bytes);
/* The same with a tree that open_tree() cloned elsewhere. */
int hks_sandbox_attach_code(int tree, const char* code_path, uint64_t tmp_bytes);

#ifdef __cplusplus
}
#endif
