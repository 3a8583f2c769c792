// SPDX-License-Identifier: Apache-2.0
#include "objects.hpp"

#include <nlohmann/json.hpp>

namespace hks::api {

using nlohmann::json;

std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string trigger_url(const std::string& base_url, const std::string& workspace,
                        const std::string& function, const TriggerSpec& trigger) {
    const std::string root = workspace == "default" ? base_url : base_url + "/workspaces/" + workspace;
    return root + (trigger.path.empty() ? "/functions/" + function : trigger.path);
}

json function_json(const registry::FunctionRecord& function, const std::string& base_url) {
    json url;
    for (const auto& trigger : function.triggers) {
        if (!trigger.spec.enabled || trigger.spec.type != "http") continue;
        url = trigger_url(base_url, function.workspace, function.name, trigger.spec);
        break;
    }
    json traffic = json::object(), active;
    if (function.active_version > 0) {
        active = function.active_version;
        traffic[std::to_string(function.active_version)] = 100;
    }
    return {{"id", function.id},
            {"name", function.name},
            {"workspace", function.workspace},
            {"status", function.status},
            {"url", std::move(url)},
            {"active_version", std::move(active)},
            {"traffic", std::move(traffic)},
            {"aliases", json::object()},
            {"labels", function.labels},
            {"spec", spec_to_json(function.spec)},
            {"created_at", to_rfc3339(function.created_at)},
            {"updated_at", to_rfc3339(function.updated_at)}};
}

json version_json(const registry::VersionRecord& version) {
    json error, digest, runtime;
    if (!version.error.empty()) error = version.error;
    if (!version.digest.empty()) digest = version.digest;
    if (!version.runtime.empty()) runtime = version.runtime;
    return {{"version", version.number},   {"status", version.status},
            {"digest", std::move(digest)}, {"runtime", std::move(runtime)},
            {"source", json::object()},    {"created_at", to_rfc3339(version.created_at)},
            {"error", std::move(error)}};
}

json trigger_json(const registry::FunctionRecord& function, const registry::TriggerEntry& trigger,
                  const std::string& base_url, TriggerAuth default_auth) {
    json config = trigger_to_json(trigger.spec);
    for (const char* member : {"type", "name", "enabled"}) config.erase(member);
    const TriggerAuth auth = trigger.spec.auth == TriggerAuth::inherit ? default_auth : trigger.spec.auth;
    const char* status = !trigger.spec.enabled         ? "disabled"
                         : function.active_version > 0 ? "active"
                                                       : "pending";
    return {{"id", trigger.id},
            {"name", trigger.spec.name},
            {"type", trigger.spec.type},
            {"enabled", trigger.spec.enabled},
            {"url", trigger_url(base_url, function.workspace, function.name, trigger.spec)},
            {"auth", auth == TriggerAuth::token ? "token" : "public"},
            {"config", std::move(config)},
            {"status", status}};
}

json log_json(const observe::StoredLog& log) {
    const FunctionLogRecord& record = log.record;
    json invocation;
    if (!record.invocation_id.empty()) invocation = record.invocation_id;
    return {{"time", to_rfc3339(record.time)}, {"level", level_name(record.level)},
            {"message", record.message},       {"invocation_id", std::move(invocation)},
            {"version", record.version},       {"stream", record.stream}};
}

json build_log_json(const build::BuildLogLine& line) {
    return {{"index", line.index}, {"time", line.time}, {"text", line.text}};
}

json secret_json(const secrets::SecretRecord& secret) {
    return {{"name", secret.name}, {"keys", secret.keys}, {"created_at", to_rfc3339(secret.created_at)}};
}

json token_json(const auth::TokenRecord& token) {
    const auto time = [](const std::optional<WallTime>& at) { return at ? json(to_rfc3339(*at)) : json(); };
    json role, workspace;
    if (token.role != auth::Role::none) role = auth::role_name(token.role);
    if (!token.workspace.empty()) workspace = token.workspace;
    return {{"id", token.id},
            {"name", token.name},
            {"role", std::move(role)},
            {"scopes", token.scopes},
            {"workspace", std::move(workspace)},
            {"created_at", to_rfc3339(token.created_at)},
            {"expires_at", time(token.expires_at)},
            {"last_used_at", time(token.last_used_at)}};
}

json list_json(json items, const std::optional<std::string>& next_cursor) {
    return {{"items", std::move(items)}, {"next_cursor", next_cursor ? json(*next_cursor) : json()}};
}

}  // namespace hks::api
