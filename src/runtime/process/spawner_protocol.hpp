// SPDX-License-Identifier: Apache-2.0
#pragma once
// Messages on the SOCK_SEQPACKET sockets between the server, its spawner and the zygotes. Fixed structs of
// one build, both ends run on the same machine; descriptors travel beside them. Zygotes read and write the
// same structs with Python's struct module: keep shims/python/zygote.py in step.

#include "process/sandbox_enter.h"

#include <cstddef>
#include <cstdint>

namespace hks::runtime {

inline constexpr size_t max_spawner_message = 160 * 1024;
inline constexpr size_t max_message_descriptors = 12;

enum class SpawnerOp : uint32_t {
    adopt_places =
        1,  ///< payload: NUL-terminated paths, cgroup parents and the instances folder, to clean at the end
    execute =
        2,  ///< payload: [hks_sandbox_spec] argv… "" environment…; descriptors as the spec says, or 3, 4, …
    bind_code = 3,      ///< payload: code_source, code_path; into the mount namespace of worker `serial`
    sweep_orphans = 4,  ///< payload: i32 pids of live instances; every other process we inherited is ended
    probe = 5,          ///< payload: hks_sandbox_spec; enter the sandbox in a child that then exits
};

struct SpawnerRequest {
    SpawnerOp op{};
    uint32_t sandboxed = 0;
    uint64_t serial = 0;
    uint64_t tmp_bytes = 0;  ///< bind_code
    uint32_t argument_count = 0;
    uint32_t environment_count = 0;
};

enum class ReportKind : uint32_t {
    started = 1,  ///< pid
    exited = 2,   ///< pid, status as waitpid gives it
    bound = 3,    ///< status: 0 or errno
    failed = 4,   ///< status: errno of the fork
    ready = 5,    ///< a zygote has warmed up
};

/// From the spawner and from the zygotes.
struct SpawnReport {
    ReportKind kind{};
    int32_t pid = 0;
    uint64_t serial = 0;  ///< 0 = a process nobody asked for: an orphan of a zygote that is gone
    int32_t status = 0;
    uint32_t reserved = 0;
};
static_assert(sizeof(SpawnReport) == 24);

/// To a zygote; the spec follows, descriptors beside it.
struct ForkRequest {
    uint64_t serial = 0;
};

}  // namespace hks::runtime
