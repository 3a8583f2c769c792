// SPDX-License-Identifier: Apache-2.0
#include "command_table.hpp"

#include <hks/cli/cli.hpp>
#include <hks/core/build_info.hpp>
#include <hks/core/json_gate.hpp>
#include <hks/core/suggest.hpp>

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <unistd.h>

namespace hks::cli {

namespace {

std::string first_of(std::initializer_list<std::string> values) {
    for (const std::string& value : values)
        if (!value.empty()) return value;
    return "";
}

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

void on_interrupt(int) { _exit(130); }

void add_version(CLI::App& root, Context& context) {
    CLI::App* version = root.add_subcommand("version", "Print the version of this program");
    version->callback([&context] {
        context.needs_server = false;
        context.action = [&context] {
            nlohmann::json object{{"version", build_version()}};
            context.printer().object(object, "version", [] { std::cout << "hks " << build_version() << "\n"; });
            return 0;
        };
    });
}

/// The deepest subcommand that was reached: its words are what the user could have meant.
const CLI::App* deepest(const CLI::App& app) {
    for (const CLI::App* child : app.get_subcommands())
        return deepest(*child);
    return &app;
}

int explain_parse_error(const CLI::App& root, const CLI::ParseError& error) {
    const CLI::App* at = deepest(root);
    std::vector<std::string> known;
    for (const CLI::App* child : at->get_subcommands(nullptr)) known.push_back(child->get_name());
    for (const CLI::App* app = at; app != nullptr; app = app->get_parent())
        for (const CLI::Option* option : app->get_options())
            for (const std::string& name : option->get_lnames()) known.push_back("--" + name);

    std::string hint;
    std::vector<std::string_view> candidates(known.begin(), known.end());
    const std::vector<std::string> unknown = root.remaining(true);
    for (const std::string& word : unknown) {
        std::string_view guess = closest_name(word, candidates);
        if (guess.empty()) continue;
        hint = " Did you mean '" + std::string(guess) + "'?";
        break;
    }
    std::string message = error.what();
    if (!unknown.empty()) message = "'" + unknown.front() + "' is not known here.";
    std::string path;
    for (const CLI::App* app = at; app != nullptr; app = app->get_parent())
        path = app->get_name() + (path.empty() ? "" : " " + path);
    return usage_error(message + hint + " See '" + path + " --help'.");
}

/// A value that is not UTF-8 where text is wanted (files and data have types of their own); null when all are.
const CLI::Option* option_without_text(const CLI::App& app) {
    for (const CLI::Option* option : app.get_options()) {
        if (!option->get_type_name().starts_with("TEXT")) continue;
        for (const std::string& value : option->results())
            if (!is_utf8(value)) return option;
    }
    for (const CLI::App* child : app.get_subcommands())
        if (const CLI::Option* found = option_without_text(*child)) return found;
    return nullptr;
}

/// What CLI11 cannot see, then the command itself.
int run_command(const CLI::App& root, Context& context) {
    if (const CLI::Option* option = option_without_text(root))
        return usage_error("The value of " + option->get_name() + " is not UTF-8 text. Write it in UTF-8.");
    auto config = ClientConfig::load(ClientConfig::default_path());
    if (!config) return fail(config.error());
    context.config = std::move(*config);
    if (!context.action) return usage_error("Nothing to do. See 'hks --help'.");
    if (context.needs_server)
        if (auto url = net::Url::parse(context.server()); !url)
            return usage_error("The server's address is not right: " + url.error().message);
    return context.action();
}

}  // namespace

std::string Context::server() const {
    return first_of({server_flag, environment("HKS_SERVER"), config.get("server"), "http://127.0.0.1:8080"});
}

std::string Context::api_key() const {
    std::string key = first_of({api_key_flag, environment("HKS_API_KEY"), config.get("api-key")});
    if (key.empty() && is_loopback_server(server())) key = local_admin_token();
    return key;
}

std::string Context::workspace() const {
    return first_of({workspace_flag, environment("HKS_WORKSPACE"), config.get("workspace"), "default"});
}

Output Context::output() const {
    Output output = Output::table;
    output_from_text(first_of({output_flag, config.get("output"), "table"}), output);
    return output;
}

int usage_error(const std::string& message) {
    std::cerr << "error: " << message << std::endl;
    return 2;
}

Result<std::pair<std::string, std::string>> split_pair(const std::string& text, const std::string& flag) {
    size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
        return Error(Errc::validation_error, flag + " takes KEY=VALUE, not '" + text + "'.");
    return std::make_pair(text.substr(0, equals), text.substr(equals + 1));
}

int run(int argc, char** argv) {
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGPIPE, SIG_DFL);
    Context context;

    CLI::App root{"hks: functions, from a folder to an answer in milliseconds", "hks"};
    root.require_subcommand(1);
    root.fallthrough();
    root.add_option("--server", context.server_flag, "Address of the server (HKS_SERVER; http://127.0.0.1:8080)");
    root.add_option("--api-key", context.api_key_flag, "Token (HKS_API_KEY; the local server's own admin token)");
    root.add_option("-w,--workspace", context.workspace_flag, "Workspace (HKS_WORKSPACE; default)");
    root.add_option("-o,--output", context.output_flag, "table, wide, json, yaml or name")
        ->check(CLI::IsMember({"table", "wide", "json", "yaml", "name"}));
    root.add_flag("-q,--quiet", context.quiet, "No progress lines");

    // Only for the help: the server is started before the client is asked.
    root.add_subcommand("server", "Run the platform (hks server --help)");
    CLI::App* function = root.add_subcommand("function", "Deploy, call and look at functions");
    function->alias("fn");
    function->require_subcommand(1);
    add_deploy(*function, context);
    add_invoke(*function, context);
    add_logs(*function, context);
    add_inspect(*function, context);
    add_change(*function, context);
    add_triggers(*function, context);
    add_secrets(root, context);
    add_tokens(root, context);
    add_config(root, context);
    add_version(root, context);

    try {
        root.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        return root.exit(help);
    } catch (const CLI::ParseError& error) {
        return explain_parse_error(root, error);
    }
    try {
        return run_command(root, context);
    } catch (const std::exception& error) {
        return fail(Error(Errc::internal, std::string("The client failed: ") + error.what() + ". Please report it."));
    }
}

}  // namespace hks::cli
