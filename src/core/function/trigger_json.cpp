// SPDX-License-Identifier: Apache-2.0
#include "spec_reader.hpp"

#include <hks/core/ids.hpp>

#include <algorithm>
#include <array>

namespace hks {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 7> known_methods{"GET",   "HEAD",   "POST",   "PUT",
                                                        "PATCH", "DELETE", "OPTIONS"};

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return text;
}

void read_methods(ObjectReader& reader, TriggerSpec& trigger) {
    const Json* methods = reader.read_list("methods", known_methods.size());
    if (!methods) return;
    if (methods->empty())
        reader.findings().add(reader.at("methods"), "must name a method; leave it out for any");
    for (size_t i = 0; i < methods->size(); ++i) {
        const Json& value = (*methods)[i];
        const auto method = value.is_string() ? upper(value.get<std::string>()) : std::string();
        if (std::find(known_methods.begin(), known_methods.end(), method) == known_methods.end()) {
            reader.findings().add(
                join_path(reader.at("methods"), i),
                "must be one of GET HEAD POST PUT PATCH DELETE OPTIONS; leave methods out for any");
        } else if (std::find(trigger.methods.begin(), trigger.methods.end(), method) ==
                   trigger.methods.end()) {
            trigger.methods.push_back(method);
        }
    }
}

void read_auth(ObjectReader& reader, TriggerSpec& trigger) {
    const Json* value = reader.take("auth");
    if (!value) return;
    ObjectReader auth(value, reader.at("auth"), reader.findings());
    std::string type;
    if (auth.read_text("type", type)) {
        if (type == "public")
            trigger.auth = TriggerAuth::public_access;
        else if (type == "token")
            trigger.auth = TriggerAuth::token;
        else
            reader.findings().add(auth.at("type"), "must be public or token, not \"" + type + "\"");
    } else if (value->is_object() && !value->contains("type")) {
        reader.findings().add(auth.at("type"), "is missing: say public or token");
    }
    auth.finish();
}

void read_http_fields(ObjectReader& reader, TriggerSpec& trigger) {
    if (reader.read_text("path", trigger.path) && !trigger.path.empty()) {
        if (const auto checked = check_trigger_path(trigger.path); !checked)
            reader.findings().add(reader.at("path"), checked.error().message);
    }
    read_methods(reader, trigger);
    read_auth(reader, trigger);
}

}  // namespace

TriggerSpec read_trigger(const Json& value, const std::string& path, Findings& findings) {
    TriggerSpec trigger;
    ObjectReader reader(&value, path, findings);
    if (reader.read_text("type", trigger.type) && trigger.type != "http") {
        findings.add(reader.at("type"),
                     "this server does not know the trigger type \"" + trigger.type + "\"; it knows http");
        return trigger;  // the other fields belong to that type
    }
    if (reader.read_text("name", trigger.name) && !is_valid_name(trigger.name))
        findings.add(reader.at("name"),
                     "must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit");
    reader.read_flag("enabled", trigger.enabled);
    read_http_fields(reader, trigger);
    reader.finish();
    return trigger;
}

Result<TriggerSpec> trigger_from_json(const Json& value, const std::string& prefix) {
    Findings findings;
    Json flat = value;
    // REST puts what belongs to the type into `config`. A field in both places is said twice.
    if (value.is_object() && value.contains("config")) {
        const Json& config = value["config"];
        flat.erase("config");
        if (!config.is_object() && !config.is_null())
            findings.add(join_path(prefix, "config"), "must be an object");
        if (config.is_object()) {
            for (const auto& [key, member] : config.items()) {
                if (key == "type" || key == "name" || key == "enabled" || flat.contains(key))
                    findings.add(join_path(prefix, "config." + key),
                                 "belongs beside config, or is there twice");
                else
                    flat[key] = member;
            }
        }
    }
    TriggerSpec trigger = read_trigger(flat, prefix, findings);
    if (!findings.empty()) return std::move(findings).to_error();
    return trigger;
}

Json trigger_to_json(const TriggerSpec& trigger) {
    Json out = {{"type", trigger.type}, {"enabled", trigger.enabled}};
    if (!trigger.name.empty()) out["name"] = trigger.name;
    if (!trigger.path.empty()) out["path"] = trigger.path;
    if (!trigger.methods.empty()) out["methods"] = trigger.methods;
    if (trigger.auth != TriggerAuth::inherit)
        out["auth"] = {{"type", trigger.auth == TriggerAuth::token ? "token" : "public"}};
    return out;
}

}  // namespace hks
