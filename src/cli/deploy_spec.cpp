// SPDX-License-Identifier: Apache-2.0
#include "deploy_spec.hpp"

#include "command_table.hpp"

#include <hks/core/json_gate.hpp>

#include <yaml-cpp/yaml.h>

#include <sstream>

namespace hks::cli {

namespace {

Json scalar_to_json(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    if (node.Tag() == "!") return text;  // quoted
    bool flag = false;
    int64_t integer = 0;
    double number = 0;
    if (YAML::convert<int64_t>::decode(node, integer)) return integer;
    if (YAML::convert<double>::decode(node, number)) return number;
    if ((text == "true" || text == "false") && YAML::convert<bool>::decode(node, flag)) return flag;
    return text;
}

Json yaml_to_json(const YAML::Node& node) {
    if (node.IsSequence()) {
        Json list = Json::array();
        for (const auto& item : node) list.push_back(yaml_to_json(item));
        return list;
    }
    if (node.IsMap()) {
        Json map = Json::object();
        for (const auto& entry : node) map[entry.first.as<std::string>()] = yaml_to_json(entry.second);
        return map;
    }
    return node.IsScalar() ? scalar_to_json(node) : Json();
}

Json parse_value(const std::string& text) {
    try {
        return yaml_to_json(YAML::Load(text));
    } catch (const YAML::Exception&) {
        return text;  // "*" and the like are not YAML, but they are fine strings
    }
}

void merge_variable(Json& spec, const std::string& key, const std::string& value) {
    spec["environment"]["variables"][key] = value;
}

Result<void> apply_environment(Json& spec, const DeployFlags& flags) {
    if (!is_utf8(flags.env_file_text))
        return Error(Errc::validation_error, "--env-file: the file is not UTF-8 text. Save it as UTF-8.");
    auto file = parse_env_file(flags.env_file_text);
    if (!file) return file.error();
    for (const auto& [key, value] : *file) merge_variable(spec, key, value);
    for (const std::string& pair : flags.variables) {
        auto split = split_pair(pair, "--env");
        if (!split) return split.error();
        merge_variable(spec, split->first, split->second);
    }
    for (const std::string& pair : flags.secrets) {
        auto split = split_pair(pair, "--secret");
        size_t slash = split ? split->second.find('/') : std::string::npos;
        if (slash == std::string::npos || slash == 0)
            return Error(Errc::validation_error, "--secret takes ENV=NAME/KEY, not '" + pair + "'.");
        Json& list = spec["environment"]["secrets"];
        if (!list.is_array()) list = Json::array();
        Json kept = Json::array();
        for (const auto& entry : list)
            if (text(entry, "name") != split->first) kept.push_back(entry);
        kept.push_back({{"name", split->first},
                        {"secretName", split->second.substr(0, slash)},
                        {"secretKey", split->second.substr(slash + 1)}});
        list = std::move(kept);
    }
    return {};
}

/// The trigger that --trigger-config without --trigger speaks of: the only one, or the one that `name` names.
Result<Json*> trigger_to_change(Json& list, const Json& members) {
    if (list.empty()) list.push_back({{"type", "http"}});
    const std::string wanted = text(members, "name");
    std::string names;
    for (Json& trigger : list) {
        const std::string name = text(trigger, "name");
        if (!wanted.empty() && name == wanted) return &trigger;
        names += (names.empty() ? "" : ", ") + name;
    }
    if (list.size() == 1) return &list.front();
    return Error(Errc::validation_error,
                 "This function has " + std::to_string(list.size()) + " triggers (" + names +
                     "), and --trigger-config does not say which. Add --trigger-config name=NAME, or replace them "
                     "all with --trigger http.");
}

Result<void> apply_triggers(Json& spec, const DeployFlags& flags) {
    if (flags.triggers.empty() && flags.trigger_config.empty()) return {};
    auto members = trigger_members(flags.trigger_config);
    if (!members) return members.error();
    Json list = Json::array();
    if (flags.triggers.empty()) {
        if (spec.contains("trigger")) list.push_back(spec["trigger"]);
        if (spec.contains("triggers")) list = spec["triggers"];
        auto trigger = trigger_to_change(list, *members);
        if (!trigger) return trigger.error();
        (*trigger)->merge_patch(*members);
    } else {
        for (const std::string& type : flags.triggers) list.push_back({{"type", type}});
        list.back().update(*members);
    }
    spec.erase("trigger");
    spec["triggers"] = std::move(list);
    return {};
}

}  // namespace

Result<Json> trigger_members(const std::vector<std::string>& pairs) {
    Json members = Json::object();
    std::vector<std::string> seen;
    for (const std::string& pair : pairs) {
        auto split = split_pair(pair, "--trigger-config");
        if (!split) return split.error();
        Json* place = &members;
        std::stringstream keys(split->first);
        for (std::string key; std::getline(keys, key, '.');) {
            if (key.empty() || !(place->is_object() || place->is_null()))
                return Error(Errc::validation_error, "--trigger-config: '" + split->first + "' is not a key.");
            place = &(*place)[key];
        }
        Json value = parse_value(split->second);
        if (std::find(seen.begin(), seen.end(), split->first) == seen.end()) {
            *place = std::move(value);
            seen.push_back(split->first);
            continue;
        }
        if (!place->is_array()) *place = Json::array({*place});
        if (value.is_array())
            place->insert(place->end(), value.begin(), value.end());
        else
            place->push_back(std::move(value));
    }
    return members;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_env_file(const std::string& text) {
    std::vector<std::pair<std::string, std::string>> out;
    std::stringstream lines(text);
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
        line.erase(0, line.find_first_not_of(" \t"));
        if (line.empty() || line[0] == '#') continue;
        if (line.starts_with("export ")) line.erase(0, 7);
        size_t equals = line.find('=');
        if (equals == std::string::npos || equals == 0)
            return Error(Errc::validation_error,
                         "--env-file: line " + std::to_string(number) + " is not KEY=VALUE: '" + line + "'.");
        std::string value = line.substr(equals + 1);
        if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
            value = value.substr(1, value.size() - 2);
        out.emplace_back(line.substr(0, equals), value);
    }
    return out;
}

Result<Json> apply_flags(Json base, const DeployFlags& flags) {
    if (flags.runtime) {
        auto runtime = parse_runtime(*flags.runtime);
        if (!runtime) return runtime.error();
        base["runtime"] = Json{{"name", runtime->name}};
        if (!runtime->version.empty()) base["runtime"]["version"] = runtime->version;
    }
    if (flags.handler) base["handler"] = *flags.handler;
    if (flags.memory) base["resources"]["memory"] = *flags.memory;
    if (flags.cpu) base["resources"]["cpu"] = *flags.cpu;
    if (flags.timeout) base["resources"]["timeout"] = *flags.timeout;
    if (flags.concurrency) base["scaling"]["concurrency"] = *flags.concurrency;
    if (flags.min_scale) base["scaling"]["minScale"] = *flags.min_scale;
    if (flags.max_scale) base["scaling"]["maxScale"] = *flags.max_scale;
    auto environment = apply_environment(base, flags);
    if (!environment) return environment.error();
    auto triggers = apply_triggers(base, flags);
    if (!triggers) return triggers.error();
    return base;
}

Result<Json> apply_labels(Json labels, const DeployFlags& flags) {
    for (const std::string& pair : flags.labels) {
        auto split = split_pair(pair, "--label");
        if (!split) return split.error();
        labels[split->first] = split->second;
    }
    return labels;
}

}  // namespace hks::cli
