// SPDX-License-Identifier: Apache-2.0
#pragma once
// What runs inside the spawner: one loop over its socket and its children. Single-threaded, no event library.

namespace hks::runtime {

/// Serves until the socket ends, then ends and removes everything that was started, then exits.
[[noreturn]] void run_spawner(int socket);

}  // namespace hks::runtime
