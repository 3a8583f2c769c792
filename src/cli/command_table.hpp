// SPDX-License-Identifier: Apache-2.0
#pragma once
// Every command is a function that adds itself to a CLI11 tree and leaves in `action` what to do when it was chosen.
// A new command touches its own file, this table and a test.

#include "api_client.hpp"
#include "client_config.hpp"
#include "printer.hpp"

#include <functional>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace hks::cli {

/// The global flags, and what they come to once environment and file have been asked.
struct Context {
    std::string server_flag, api_key_flag, workspace_flag, output_flag;
    bool quiet = false;
    bool needs_server = true;     ///< false: the command does without one, and a wrong address does not matter
    ClientConfig config;
    std::function<int()> action;  ///< set by the chosen command

    std::string server() const;
    std::string api_key() const;   ///< falls back to the admin token of a server on this machine
    std::string workspace() const;
    Output output() const;         ///< table when nothing was said
    ApiClient api() const { return {server(), api_key(), workspace()}; }
    Printer printer() const { return {output(), quiet}; }
};

void add_deploy(CLI::App& function, Context& context);
void add_invoke(CLI::App& function, Context& context);
void add_logs(CLI::App& function, Context& context);
void add_inspect(CLI::App& function, Context& context);   ///< list get versions
void add_change(CLI::App& function, Context& context);    ///< delete rollback
void add_triggers(CLI::App& function, Context& context);
void add_secrets(CLI::App& root, Context& context);
void add_tokens(CLI::App& root, Context& context);
void add_config(CLI::App& root, Context& context);

/// "K=V" → {K, V}; an error that names the flag otherwise.
Result<std::pair<std::string, std::string>> split_pair(const std::string& text, const std::string& flag);

/// Prints the error and gives its exit code: for commands that end with it.
inline int fail(const Error& error) { return Printer::error(error); }
/// Wrong usage: exit code 2.
int usage_error(const std::string& message);

}  // namespace hks::cli
