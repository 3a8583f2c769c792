// SPDX-License-Identifier: Apache-2.0
#include "command_table.hpp"
#include "deploy_spec.hpp"

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>

namespace hks::cli {

namespace {

struct TriggerOptions {
    std::string function, trigger, type = "http", name;
    std::vector<std::string> config;
};

std::string triggers_path(const ApiClient& api, const TriggerOptions& options) {
    std::string path = api.in_workspace("/functions/" + url_encode(options.function) + "/triggers");
    return options.trigger.empty() ? path : path + "/" + url_encode(options.trigger);
}

int add(const Context& context, const TriggerOptions& options) {
    auto config = trigger_members(options.config);
    if (!config) return usage_error(config.error().message);
    ApiClient api = context.api();
    Json body{{"type", options.type}, {"config", *config}};
    if (!options.name.empty()) body["name"] = options.name;
    auto trigger = api.call("POST", triggers_path(api, options), body);
    if (!trigger) return fail(trigger.error());
    context.printer().object(*trigger, "name", [&] {
        std::cout << "Trigger " << text(*trigger, "name") << " added: " << text(*trigger, "url") << "\n";
    });
    return 0;
}

int list(const Context& context, const TriggerOptions& options) {
    ApiClient api = context.api();
    auto items = api.all_items(triggers_path(api, options));
    if (!items) return fail(items.error());
    context.printer().list(*items,
                           {{"NAME", [](const Json& t) { return text(t, "name"); }},
                            {"TYPE", [](const Json& t) { return text(t, "type"); }},
                            {"ENABLED", [](const Json& t) { return text(t, "enabled"); }},
                            {"URL", [](const Json& t) { return text(t, "url"); }},
                            {"ID", [](const Json& t) { return text(t, "id"); }, true},
                            {"CONFIG", [](const Json& t) { return text(t, "config"); }, true}},
                           "name");
    return 0;
}

int remove(const Context& context, const TriggerOptions& options) {
    ApiClient api = context.api();
    auto answer = api.call("DELETE", triggers_path(api, options));
    if (!answer) return fail(answer.error());
    context.printer().progress("Deleted trigger " + options.trigger + ".");
    return 0;
}

int set_enabled(const Context& context, const TriggerOptions& options, bool enabled) {
    ApiClient api = context.api();
    auto current = api.call("GET", triggers_path(api, options));
    if (!current) return fail(current.error());
    Json body{{"name", (*current)["name"]}, {"type", (*current)["type"]}, {"config", (*current)["config"]},
              {"enabled", enabled}};
    auto trigger = api.call("PUT", triggers_path(api, options), body);
    if (!trigger) return fail(trigger.error());
    context.printer().object(*trigger, "name", [&] {
        std::cout << "Trigger " << text(*trigger, "name") << " is " << (enabled ? "enabled" : "disabled") << ".\n";
    });
    return 0;
}

}  // namespace

void add_triggers(CLI::App& function, Context& context) {
    auto options = std::make_shared<TriggerOptions>();
    CLI::App* group = function.add_subcommand("trigger", "What calls a function: add, list, switch, delete");
    group->require_subcommand(1);

    auto command = [&](const char* name, const char* help, bool with_trigger, auto action) {
        CLI::App* verb = group->add_subcommand(name, help);
        verb->add_option("NAME", options->function, "Function: name or id")->required();
        if (with_trigger) verb->add_option("TRIGGER", options->trigger, "Trigger: name or id")->required();
        verb->callback([&context, options, action] {
            context.action = [&context, options, action] { return action(context, *options); };
        });
        return verb;
    };
    CLI::App* adding = command("add", "Add a trigger", false, add);
    adding->add_option("--type", options->type, "http")->check(CLI::IsMember({"http"}));
    adding->add_option("--name", options->name, "Name of the trigger (made up)");
    adding->add_option("--config,--trigger-config", options->config, "K=V: path, methods, auth.type")
        ->allow_extra_args(false);
    command("list", "List the triggers of a function", false, list);
    command("delete", "Delete a trigger", true, remove);
    command("enable", "Let a trigger call the function", true,
            [](const Context& c, const TriggerOptions& o) { return set_enabled(c, o, true); });
    command("disable", "Keep a trigger from calling the function", true,
            [](const Context& c, const TriggerOptions& o) { return set_enabled(c, o, false); });
}

}  // namespace hks::cli
