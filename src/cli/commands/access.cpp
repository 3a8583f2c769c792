// SPDX-License-Identifier: Apache-2.0
#include "command_table.hpp"

#include <hks/core/json_gate.hpp>

#include <CLI/CLI.hpp>

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

namespace hks::cli {

namespace {

struct SecretOptions {
    std::string name;
    std::vector<std::string> literals, files;
    bool replace = false;
};

int create_secret(const Context& context, const SecretOptions& options) {
    Json data = Json::object();
    for (const std::string& pair : options.literals) {
        auto split = split_pair(pair, "--from-literal");
        if (!split) return usage_error(split.error().message);
        data[split->first] = split->second;
    }
    for (const std::string& pair : options.files) {
        auto split = split_pair(pair, "--from-file");
        if (!split) return usage_error(split.error().message);
        std::ifstream file(split->second, std::ios::binary);
        if (!file) return usage_error("The file " + split->second + " cannot be read. Check the path.");
        std::string content(std::istreambuf_iterator<char>(file), {});
        if (!is_utf8(content))
            return usage_error("The file " + split->second +
                               " is not UTF-8 text, and a secret holds text. Encode it, for example with base64.");
        data[split->first] = std::move(content);
    }
    if (data.empty()) return usage_error("A secret needs a value: --from-literal=KEY=VALUE or --from-file=KEY=PATH.");
    ApiClient api = context.api();
    Json body{{"name", options.name}, {"data", data}};
    auto secret = options.replace
                      ? api.call("PUT", api.in_workspace("/secrets/" + url_encode(options.name)), body)
                      : api.call("POST", api.in_workspace("/secrets"), body);
    if (!secret) return fail(secret.error());
    context.printer().object(*secret, "name", [&] { std::cout << "Secret " << options.name << " stored.\n"; });
    return 0;
}

int list_secrets(const Context& context) {
    ApiClient api = context.api();
    auto items = api.all_items(api.in_workspace("/secrets"));
    if (!items) return fail(items.error());
    auto keys = [](const Json& secret) {
        std::string out;
        for (const auto& key : secret.value("keys", Json::array())) out += (out.empty() ? "" : ",") + key.get<std::string>();
        return out;
    };
    context.printer().list(*items,
                           {{"NAME", [](const Json& s) { return text(s, "name"); }},
                            {"KEYS", keys},
                            {"CREATED", [](const Json& s) { return age(s, "created_at"); }}},
                           "name");
    return 0;
}

int delete_at(const Context& context, const std::string& path, const std::string& what) {
    ApiClient api = context.api();
    auto answer = api.call("DELETE", api.in_workspace(path));
    if (!answer) return fail(answer.error());
    context.printer().progress(what);
    return 0;
}

struct TokenOptions {
    std::string name, role = "developer", expires;
    std::vector<std::string> scopes;
};

int create_token(const Context& context, const TokenOptions& options) {
    Json body{{"name", options.name}};
    if (options.scopes.empty())
        body["role"] = options.role;
    else
        body["scopes"] = options.scopes;
    if (!options.expires.empty()) body["expires_in"] = options.expires;
    ApiClient api = context.api();
    auto token = api.call("POST", api.in_workspace("/tokens"), body);
    if (!token) return fail(token.error());
    context.printer().object(*token, "id", [&] {
        std::cout << text(*token, "token") << "\n";
        context.printer().progress("This is shown once. Keep it where the caller finds it, for example in HKS_API_KEY.");
    });
    return 0;
}

int list_tokens(const Context& context) {
    ApiClient api = context.api();
    auto items = api.all_items(api.in_workspace("/tokens"));
    if (!items) return fail(items.error());
    context.printer().list(*items,
                           {{"ID", [](const Json& t) { return text(t, "id"); }},
                            {"NAME", [](const Json& t) { return text(t, "name"); }},
                            {"ROLE", [](const Json& t) { return text(t, "role"); }},
                            {"SCOPES", [](const Json& t) { return t.value("scopes", Json::array()).dump(); }, true},
                            {"WORKSPACE", [](const Json& t) { return text(t, "workspace"); }},
                            {"EXPIRES", [](const Json& t) { return text(t, "expires_at"); }},
                            {"LAST USED", [](const Json& t) { return age(t, "last_used_at"); }}},
                           "id");
    return 0;
}

}  // namespace

void add_secrets(CLI::App& root, Context& context) {
    auto options = std::make_shared<SecretOptions>();
    CLI::App* group = root.add_subcommand("secret", "Values that functions get and nobody reads back");
    group->require_subcommand(1);

    CLI::App* create = group->add_subcommand("create", "Store a secret");
    create->add_option("NAME", options->name, "Name")->required();
    create->add_option("--from-literal", options->literals, "KEY=VALUE, repeatable")->allow_extra_args(false);
    create->add_option("--from-file", options->files, "KEY=PATH, repeatable")
        ->type_name("KEY=PATH")
        ->allow_extra_args(false);
    create->add_flag("--replace", options->replace, "Replace one that exists");
    create->callback(
        [&context, options] { context.action = [&context, options] { return create_secret(context, *options); }; });

    CLI::App* list = group->add_subcommand("list", "List the secrets of the workspace, never their values");
    list->callback([&context] { context.action = [&context] { return list_secrets(context); }; });

    CLI::App* remove = group->add_subcommand("delete", "Delete a secret");
    remove->add_option("NAME", options->name, "Name")->required();
    remove->callback([&context, options] {
        context.action = [&context, options] {
            return delete_at(context, "/secrets/" + url_encode(options->name), "Deleted secret " + options->name + ".");
        };
    });
}

void add_tokens(CLI::App& root, Context& context) {
    auto options = std::make_shared<TokenOptions>();
    CLI::App* group = root.add_subcommand("token", "Keys to the server");
    group->require_subcommand(1);

    CLI::App* create = group->add_subcommand("create", "Make a token; its value is shown once");
    create->add_option("NAME", options->name, "What it is for")->required();
    create->add_option("--role", options->role, "viewer, developer or admin (developer)")
        ->check(CLI::IsMember({"viewer", "developer", "admin"}));
    create->add_option("--scope", options->scopes, "Instead of a role: invoke")->check(CLI::IsMember({"invoke"}));
    create->add_option("--expires", options->expires, "Lifetime, for example 24h (never)");
    create->callback(
        [&context, options] { context.action = [&context, options] { return create_token(context, *options); }; });

    CLI::App* list = group->add_subcommand("list", "List the tokens, never their values");
    list->callback([&context] { context.action = [&context] { return list_tokens(context); }; });

    CLI::App* revoke = group->add_subcommand("revoke", "Take a token back at once");
    revoke->add_option("ID", options->name, "Id or name")->required();
    revoke->callback([&context, options] {
        context.action = [&context, options] {
            return delete_at(context, "/tokens/" + url_encode(options->name), "Revoked token " + options->name + ".");
        };
    });
}

void add_config(CLI::App& root, Context& context) {
    struct Options {
        std::string key, value;
    };
    auto options = std::make_shared<Options>();
    CLI::App* group = root.add_subcommand("config", "The client's own settings");
    group->callback([&context] { context.needs_server = false; });
    group->require_subcommand(1);
    std::vector<std::string> keys(std::begin(config_keys), std::end(config_keys));

    CLI::App* get = group->add_subcommand("get", "Print the value that is in force");
    get->add_option("KEY", options->key, "server, api-key, workspace or output")->required()->check(CLI::IsMember(keys));
    get->callback([&context, options] {
        context.action = [&context, options] {
            const std::string& key = options->key;
            std::cout << (key == "server"      ? context.server()
                          : key == "api-key"   ? context.api_key()
                          : key == "workspace" ? context.workspace()
                                               : output_name(context.output()))
                      << "\n";
            return 0;
        };
    });

    CLI::App* set = group->add_subcommand("set", "Keep a value in the configuration file");
    set->add_option("KEY", options->key, "server, api-key, workspace or output")->required()->check(CLI::IsMember(keys));
    set->add_option("VALUE", options->value, "The value; \"\" forgets it")->required();
    set->callback([&context, options] {
        context.action = [&context, options] {
            Output ignored;
            if (options->key == "output" && !options->value.empty() && !output_from_text(options->value, ignored))
                return usage_error("output is table, wide, json, yaml or name, not '" + options->value + "'.");
            if (options->key == "server" && !options->value.empty()) {
                auto url = net::Url::parse(options->value);
                if (!url) return usage_error(url.error().message);
            }
            context.config.set(options->key, options->value);
            auto saved = context.config.save();
            return saved ? 0 : fail(saved.error());
        };
    });

    CLI::App* view = group->add_subcommand("view", "Show the configuration file, without the key");
    view->callback([&context] {
        context.action = [&context] {
            Json object = Json::object();
            for (const char* key : config_keys) {
                std::string value = context.config.get(key);
                if (!value.empty()) object[key] = std::string(key) == "api-key" ? "(set)" : value;
            }
            context.printer().object(object, "server", [&] {
                std::cout << "# " << context.config.path() << "\n" << to_yaml(object) << "\n";
            });
            return 0;
        };
    });
}

}  // namespace hks::cli
