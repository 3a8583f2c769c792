// SPDX-License-Identifier: Apache-2.0
#include "command_table.hpp"

#include <hks/core/clock.hpp>
#include <hks/core/units.hpp>

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>

namespace hks::cli {

namespace {

struct LogOptions {
    std::string name, since, until, level, invocation;
    int version = 0;
    int tail = -1;
    bool follow = false;
    bool build = false;
};

/// "1h" is so long ago; anything else goes to the server as it is.
std::string as_time(const std::string& text) {
    auto duration = parse_duration(text);
    if (!duration) return text;
    return to_rfc3339(std::chrono::system_clock::now() - *duration);
}

void print_line(const Context& context, const Json& line) {
    if (context.output() == Output::json) {
        std::cout << line.dump() << std::endl;
        return;
    }
    std::string level = text(line, "level");
    for (char& c : level) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    level.resize(std::max<size_t>(level.size(), 5), ' ');
    std::string invocation = text(line, "invocation_id");
    // What a function prints may come from its callers: no line of theirs looks like one of the log's own.
    std::cout << text(line, "time") << "  " << level << "  v" << text(line, "version") << "  "
              << (invocation.empty() ? "-" : invocation) << "  " << printable(text(line, "message"), "    ")
              << std::endl;
}

/// A stream that the user did not end: its function is gone, or the server stops.
int explain_end(ApiClient& api, const std::string& name, const std::string& function_path) {
    auto function = api.call("GET", function_path);
    if (!function && function.error().code == Errc::function_not_found)
        return fail(Error(Errc::function_not_found, "The function '" + name + "' was deleted, and its log with it."));
    return fail(Error(Errc::unavailable, "The server at " + api.server() +
                                             " ended the log because it stops. Try again when it runs."));
}

int build_log(const Context& context, ApiClient& api, const LogOptions& options) {
    const std::string function_path = api.in_workspace("/functions/" + url_encode(options.name));
    int version = options.version;
    if (version == 0) {
        auto newest = api.call("GET", function_path + "/versions?limit=1");
        if (!newest) return fail(newest.error());
        if ((*newest)["items"].empty()) return fail(Error(Errc::version_not_found, "This function has no versions."));
        version = (*newest)["items"][0]["version"].get<int>();
    }
    const std::string path = function_path + "/versions/" + std::to_string(version) + "/logs?follow=true";
    auto done = api.follow(path, [&](const std::string& event, const Json& line) {
        if (event == "end") return false;
        if (context.output() == Output::json)
            std::cout << line.dump() << std::endl;
        else
            std::cout << printable(text(line, "text"), "    ") << std::endl;
        return true;
    });
    if (!done) return fail(done.error());
    return *done ? 0 : explain_end(api, options.name, function_path);
}

int logs(const Context& context, const LogOptions& options) {
    ApiClient api = context.api();
    if (options.build) return build_log(context, api, options);
    std::string query;
    auto add = [&query](const std::string& key, const std::string& value) {
        if (!value.empty()) query += (query.empty() ? "?" : "&") + key + "=" + url_encode(value);
    };
    if (!options.since.empty()) add("since", as_time(options.since));
    if (!options.until.empty()) add("until", as_time(options.until));
    add("level", options.level);
    add("invocation_id", options.invocation);
    if (options.version > 0) add("version", std::to_string(options.version));
    if (options.tail >= 0) add("limit", std::to_string(options.tail));
    std::string path = api.in_workspace("/functions/" + url_encode(options.name) + "/logs");

    if (options.follow) {
        add("follow", "true");
        // By its id: a new function may have taken the name when the old one's stream ends.
        auto function = api.call("GET", api.in_workspace("/functions/" + url_encode(options.name)));
        if (!function) return fail(function.error());
        auto done = api.follow(path + query, [&](const std::string& event, const Json& line) {
            if (event.empty() && line.is_object()) print_line(context, line);
            return true;
        });
        if (!done) return fail(done.error());
        return explain_end(api, options.name,
                           api.in_workspace("/functions/" + url_encode(text(*function, "id"))));
    }
    std::string cursor;
    do {
        std::string page = path + query;
        if (!cursor.empty()) page += (query.empty() ? "?cursor=" : "&cursor=") + url_encode(cursor);
        auto answer = api.call("GET", page);
        if (!answer) return fail(answer.error());
        for (const Json& line : (*answer)["items"]) print_line(context, line);
        cursor = options.tail >= 0 ? "" : text(*answer, "next_cursor");
    } while (!cursor.empty());
    return 0;
}

}  // namespace

void add_logs(CLI::App& function, Context& context) {
    auto options = std::make_shared<LogOptions>();
    CLI::App* command = function.add_subcommand("logs", "Show what a function printed");
    command->add_option("NAME", options->name, "Name or id")->required();
    command->add_flag("-f,--follow", options->follow, "Go on with lines as they come");
    command->add_option("--since", options->since, "From this long ago (1h) or this time on (all that is kept)");
    command->add_option("--until", options->until, "Up to this long ago or this time");
    command->add_option("--tail", options->tail, "Only the newest N lines (all)")->check(CLI::NonNegativeNumber);
    command->add_option("--level", options->level, "debug, info, warn or error, and above")
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    command->add_option("--invocation", options->invocation, "Only the lines of this invocation");
    command->add_option("--version", options->version, "Only the lines of this version")->check(CLI::PositiveNumber);
    command->add_flag("--build", options->build, "The build's log instead (of --version, or the newest)");
    command->callback([&context, options] { context.action = [&context, options] { return logs(context, *options); }; });
}

}  // namespace hks::cli
