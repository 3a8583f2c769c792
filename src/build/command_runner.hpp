// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runs one program of somebody else (pip, npm): by argv, never by a shell; nothing of the server's
// environment or descriptors; a process group of its own that is gone when run_command() returns, whatever it
// left in the background. Blocking; build threads.

#include "stop_signal.hpp"

#include <hks/core/clock.hpp>
#include <hks/core/error.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hks::build {

struct Command {
    std::vector<std::string> argv;         ///< argv[0] is a path
    std::filesystem::path folder;          ///< working directory
    std::vector<std::string> environment;  ///< all of it, "NAME=value"
    SteadyTime deadline = SteadyTime::max();
    size_t max_output_bytes = 4u << 20;  ///< more is read and dropped
    std::function<void(std::string_view)> on_line = [](std::string_view) {
    };                                    ///< stdout and stderr, without "\n"
    std::function<Result<void>()> watch;  ///< asked about once a second; its error ends the command
};

struct CommandResult {
    enum class End { exited, signalled, timed_out, stopped };
    End end = End::exited;
    int code = 0;  ///< exit code, or the signal's number
    bool output_cut = false;
    bool good() const { return end == End::exited && code == 0; }
    std::string text() const;  ///< "exited with code 1", for people
};

/// An error: the program could not be started, or what `watch` said.
Result<CommandResult> run_command(const Command& command, const StopSignal& stop);

/// The first executable `name` in the folders of a PATH; "" when there is none.
std::string find_program(std::string_view name, std::string_view path);

/// What a build's programs see: PATH (with `first_in_path` in front), HOME and TMPDIR below `home`, LANG, and
/// what the server's own environment says about package indexes, proxies and certificates.
std::vector<std::string> build_environment(const std::filesystem::path& home,
                                           const std::string& first_in_path);
/// The part of it that changes what gets installed, for cache keys.
std::string index_settings();

/// Kills every process whose environment has a variable that starts with `text` ("HOME=/data/build/tmp/"):
/// what slipped out of its group, and what a crash of the server left.
void kill_processes_with(const std::string& text);

}  // namespace hks::build
