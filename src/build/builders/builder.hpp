// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a language adds to a build: which dependencies a folder asks for, and how they get into it. One row a
// language in builders.cpp. Build threads.

#include "../build_log.hpp"
#include "../command_runner.hpp"

#include <hks/runtime/runtime_table.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace hks::build {

/// What a step may use; lives as long as the build.
struct BuildContext {
    std::filesystem::path folder;   ///< the bundle as it grows
    std::filesystem::path scratch;  ///< HOME and TMPDIR of the tools, gone after the build
    std::filesystem::path cache;    ///< {work_dir}/cache, shared by all builds
    const runtime::Interpreter& interpreter;
    const runtime::RuntimeTable& runtimes;
    BuildLog& log;
    const StopSignal& stop;
    SteadyTime deadline;
    uint64_t max_bundle_bytes;
};

/// What there is to install.
struct Dependencies {
    std::string what;  ///< "2 requirements"; "" = nothing
    std::string file;  ///< that names them, below the folder or the scratch
    std::string key;   ///< the same key: the same tree
    bool needed() const { return !what.empty(); }
};

struct Builder {
    std::string_view language;
    std::string_view tree;  ///< the folder that install() fills, in the bundle
    Result<Dependencies> (*find)(const BuildContext& build);
    Result<void> (*install)(const BuildContext& build, const Dependencies& dependencies);
    /// Whatever makes imports faster and does not count in the digest; never fails. First for what install()
    /// filled, then for the rest of the bundle (`installed`: without what install() filled).
    void (*warm_dependencies)(const BuildContext& build);
    void (*warm_bundle)(const BuildContext& build, bool installed);
};

const Builder& python_builder();
const Builder& node_builder();
/// Null for a language that nobody builds.
const Builder* find_builder(std::string_view language);

/// Runs a tool in the bundle, its output in the log; fails unless it exits with 0. `on_line` sees every line,
/// too.
Result<void> run_tool(const BuildContext& build, std::string_view name, std::vector<std::string> argv,
                      const std::function<void(std::string_view)>& on_line = {});
/// A command that says nothing in the log; nothing when it could not run or did not exit with 0.
bool run_quietly(const BuildContext& build, std::vector<std::string> argv, std::string* output = nullptr);

}  // namespace hks::build
