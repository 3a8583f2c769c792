// SPDX-License-Identifier: Apache-2.0
#include "command_table.hpp"

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>

namespace hks::cli {

namespace {

std::string runtime_text(const Json& spec) {
    if (!spec.contains("runtime")) return "";
    const Json& runtime = spec["runtime"];
    return runtime.is_string() ? runtime.get<std::string>() : text(runtime, "name") + text(runtime, "version");
}

int list(const Context& context) {
    ApiClient api = context.api();
    auto items = api.all_items(api.in_workspace("/functions"));
    if (!items) return fail(items.error());
    if (items->empty() && !context.printer().structured()) {
        context.printer().progress("No functions yet in workspace " + api.workspace() +
                                   ". Deploy one with 'hks function deploy NAME'.");
        return 0;
    }
    context.printer().list(*items,
                           {{"NAME", [](const Json& f) { return text(f, "name"); }},
                            {"STATUS", [](const Json& f) { return text(f, "status"); }},
                            {"VERSION", [](const Json& f) { return text(f, "active_version"); }},
                            {"RUNTIME", [](const Json& f) { return runtime_text(f.value("spec", Json::object())); }},
                            {"UPDATED", [](const Json& f) { return age(f, "updated_at"); }},
                            {"URL", [](const Json& f) { return text(f, "url"); }},
                            {"ID", [](const Json& f) { return text(f, "id"); }, true}},
                           "name");
    return 0;
}

int get(const Context& context, const std::string& name) {
    ApiClient api = context.api();
    auto function = api.call("GET", api.in_workspace("/functions/" + url_encode(name)));
    if (!function) return fail(function.error());
    context.printer().object(*function, "name", [&] {
        const Json& f = *function;
        const Json spec = f.value("spec", Json::object());
        std::cout << "Name:      " << text(f, "name") << "\nWorkspace: " << text(f, "workspace")
                  << "\nStatus:    " << text(f, "status") << "\nVersion:   " << text(f, "active_version")
                  << "\nRuntime:   " << runtime_text(spec) << "\nHandler:   " << text(spec, "handler")
                  << "\nURL:       " << text(f, "url") << "\nCreated:   " << text(f, "created_at")
                  << "\nUpdated:   " << text(f, "updated_at") << "\nSpec:\n";
        std::string yaml = to_yaml(spec);
        for (size_t begin = 0; begin < yaml.size();) {
            size_t end = std::min(yaml.find('\n', begin), yaml.size());
            std::cout << "  " << yaml.substr(begin, end - begin) << "\n";
            begin = end + 1;
        }
    });
    return 0;
}

int versions(const Context& context, const std::string& name) {
    ApiClient api = context.api();
    std::string path = api.in_workspace("/functions/" + url_encode(name));
    auto function = api.call("GET", path);
    if (!function) return fail(function.error());
    auto items = api.all_items(path + "/versions");
    if (!items) return fail(items.error());
    std::string active = text(*function, "active_version");
    context.printer().list(
        *items,
        {{"VERSION", [&](const Json& v) { return text(v, "version") + (text(v, "version") == active ? " *" : ""); }},
         {"STATUS", [](const Json& v) { return text(v, "status"); }},
         {"RUNTIME", [](const Json& v) { return text(v, "runtime"); }},
         {"DIGEST", [](const Json& v) { return text(v, "digest").substr(0, 12); }},
         {"CREATED", [](const Json& v) { return age(v, "created_at"); }},
         {"ERROR", [](const Json& v) { return text(v, "error").substr(0, text(v, "error").find('\n')); }}},
        "version");
    return 0;
}

}  // namespace

void add_inspect(CLI::App& function, Context& context) {
    CLI::App* list_command = function.add_subcommand("list", "List the functions of the workspace");
    list_command->alias("ls");
    list_command->callback([&context] { context.action = [&context] { return list(context); }; });

    auto name = std::make_shared<std::string>();
    CLI::App* get_command = function.add_subcommand("get", "Show one function");
    get_command->alias("describe");
    get_command->add_option("NAME", *name, "Name or id")->required();
    get_command->callback([&context, name] { context.action = [&context, name] { return get(context, *name); }; });

    CLI::App* versions_command = function.add_subcommand("versions", "List the versions of a function, newest first");
    versions_command->add_option("NAME", *name, "Name or id")->required();
    versions_command->callback(
        [&context, name] { context.action = [&context, name] { return versions(context, *name); }; });
}

}  // namespace hks::cli
