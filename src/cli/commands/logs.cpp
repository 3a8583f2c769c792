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
    std::cout << text(line, "time") << "  " << level << "  v" << text(line, "version") << "  "
              << (invocation.empty() ? "-" : context.output() == Output::wide ? invocation : invocation.substr(0, 16))
              << "  " << text(line, "message") << std::endl;
}

int build_log(const Context& context, ApiClient& api, const LogOptions& options) {
    std::string path = api.in_workspace("/functions/" + url_encode(options.name));
    int version = options.version;
    if (version == 0) {
        auto newest = api.call("GET", path + "/versions?limit=1");
        if (!newest) return fail(newest.error());
        if ((*newest)["items"].empty()) return fail(Error(Errc::version_not_found, "This function has no versions."));
        version = (*newest)["items"][0]["version"].get<int>();
    }
    path += "/versions/" + std::to_string(version) + "/logs?follow=true";
    auto done = api.follow(path, [&](const std::string& event, const Json& line) {
        if (event == "end") return false;
        if (context.output() == Output::json)
            std::cout << line.dump() << std::endl;
        else
            std::cout << text(line, "text") << std::endl;
        return true;
    });
    return done ? 0 : fail(done.error());
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
        auto done = api.follow(path + query, [&](const std::string&, const Json& line) {
            if (line.is_object()) print_line(context, line);
            return true;
        });
        return done ? 0 : fail(done.error());
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
