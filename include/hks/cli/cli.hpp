// SPDX-License-Identifier: Apache-2.0
#pragma once
// The client: everything `hks` does except `hks server`. Speaks to a server over its REST API only.
// Runs on the calling thread until the command is done; nothing is left behind.

namespace hks::cli {

/// Runs the command that the arguments name. → the exit code: 0 done, 1 refused, 2 wrong usage, 3 server not
/// reachable, 130 interrupted.
int run(int argc, char** argv);

}  // namespace hks::cli
