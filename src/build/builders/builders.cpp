// SPDX-License-Identifier: Apache-2.0
#include "../tree.hpp"
#include "builder.hpp"

#include <array>

namespace hks::build {
namespace {

Command tool_command(const BuildContext& build, std::vector<std::string> argv) {
    Command command;
    command.argv = std::move(argv);
    command.folder = build.folder;
    command.environment = build_environment(
        build.scratch, std::filesystem::path(build.interpreter.path).parent_path().string());
    // Nobody is there to admire colours, or to worry about root.
    command.environment.insert(command.environment.end(), {"NO_COLOR=1", "PIP_ROOT_USER_ACTION=ignore"});
    command.deadline = build.deadline;
    command.watch = [&build]() -> Result<void> {
        if (measure(build.folder).bytes <= build.max_bundle_bytes) return {};
        return Error(Errc::package_size_exceeded, "With its dependencies the bundle is larger than " +
                                                      size_text(build.max_bundle_bytes) +
                                                      ". Depend on less, or raise the server's limit.");
    };
    return command;
}

}  // namespace

const Builder* find_builder(std::string_view language) {
    const std::array<const Builder*, 2> builders{&python_builder(), &node_builder()};
    for (const Builder* builder : builders)
        if (builder->language == language) return builder;
    return nullptr;
}

Result<void> run_tool(const BuildContext& build, std::string_view name, std::vector<std::string> argv,
                      const std::function<void(std::string_view)>& on_line) {
    Command command = tool_command(build, std::move(argv));
    command.on_line = [&](std::string_view line) {
        build.log.output(line);
        if (on_line) on_line(line);
    };
    auto result = run_command(command, build.stop);
    build.log.flush();
    if (!result) return result.error();
    if (result->good()) return {};
    const std::string tool(name);
    if (result->end == CommandResult::End::stopped)
        return Error(Errc::build_failed,
                     tool + " was interrupted because the server is stopping. Deploy again.");
    if (result->end == CommandResult::End::timed_out)
        return Error(Errc::build_failed,
                     tool +
                         " took longer than a build may take. Depend on less, or raise the "
                         "server's build timeout.");
    return Error(Errc::build_failed, tool + " " + result->text() + ". Its own words are in the build log.");
}

bool run_quietly(const BuildContext& build, std::vector<std::string> argv, std::string* output) {
    Command command = tool_command(build, std::move(argv));
    if (output) command.on_line = [output](std::string_view line) { output->append(line).append("\n"); };
    auto result = run_command(command, build.stop);
    return result && result->good();
}

}  // namespace hks::build
