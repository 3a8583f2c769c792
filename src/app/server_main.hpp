// SPDX-License-Identifier: Apache-2.0
#pragma once
// `hks server`: reads the configuration, prepares the process, runs the Application.

namespace hks::app {

/// `argv` behind the word "server". → exit code: 0 stopped, 1 could not start or had to cut calls off, 2
/// wrong configuration.
int run_server(int argc, char** argv);

}  // namespace hks::app
