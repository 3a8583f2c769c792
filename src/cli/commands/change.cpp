// SPDX-License-Identifier: Apache-2.0
#include "command_table.hpp"

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>
#include <unistd.h>

namespace hks::cli {

namespace {

bool confirmed(const std::string& question) {
    std::cerr << question << " [y/N] " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

int remove(const Context& context, const std::string& name, bool yes) {
    if (!yes) {
        if (!::isatty(STDIN_FILENO))
            return usage_error("Deleting asks for a yes, and nobody is there to give it. Add --yes.");
        if (!confirmed("Delete function " + name + " with all its versions and logs?")) {
            std::cerr << "Nothing was deleted." << std::endl;
            return 1;
        }
    }
    ApiClient api = context.api();
    auto answer = api.call("DELETE", api.in_workspace("/functions/" + url_encode(name)));
    if (!answer) return fail(answer.error());
    context.printer().progress("Deleted function " + name + ".");
    return 0;
}

int rollback(const Context& context, const std::string& name, int version) {
    ApiClient api = context.api();
    Json body = Json::object();
    if (version > 0) body["target_version"] = version;
    auto function = api.call("POST", api.in_workspace("/functions/" + url_encode(name) + "/rollback"), body);
    if (!function) return fail(function.error());
    context.printer().object(*function, "name", [&] {
        std::cout << "Function " << name << " runs version " << text(*function, "active_version") << " now.\n";
    });
    return 0;
}

}  // namespace

void add_change(CLI::App& function, Context& context) {
    struct Options {
        std::string name;
        bool yes = false;
        int version = 0;
    };
    auto options = std::make_shared<Options>();

    CLI::App* delete_command = function.add_subcommand("delete", "Delete a function, its versions and its logs");
    delete_command->alias("rm");
    delete_command->add_option("NAME", options->name, "Name or id")->required();
    delete_command->add_flag("-y,--yes", options->yes, "Do not ask");
    delete_command->callback([&context, options] {
        context.action = [&context, options] { return remove(context, options->name, options->yes); };
    });

    CLI::App* rollback_command = function.add_subcommand("rollback", "Switch to an earlier version at once");
    rollback_command->add_option("NAME", options->name, "Name or id")->required();
    rollback_command->add_option("--to", options->version, "Version number (the one before the active one)")
        ->check(CLI::PositiveNumber);
    rollback_command->callback([&context, options] {
        context.action = [&context, options] { return rollback(context, options->name, options->version); };
    });
}

}  // namespace hks::cli
