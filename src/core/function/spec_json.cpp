// SPDX-License-Identifier: Apache-2.0
#include "spec_reader.hpp"

#include <hks/core/ids.hpp>
#include <hks/core/units.hpp>

#include <algorithm>
#include <set>

namespace hks {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;

constexpr uint64_t mebi = 1ull << 20;
constexpr uint64_t smallest_memory = 16 * mebi;
constexpr uint64_t largest_storage = 1ull << 40;
constexpr size_t largest_environment = 64 << 10;
constexpr size_t most_triggers = 64;
constexpr size_t most_secrets = 256;

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

void read_runtime(ObjectReader& spec, RuntimeSpec& runtime) {
    const Json* value = spec.take("runtime");
    if (!value) return;
    Findings& findings = spec.findings();
    const auto resolve = [&](const std::string& spelling, const std::string& path) {
        auto parsed = parse_runtime(spelling);
        if (parsed)
            runtime = *parsed;
        else
            findings.add_runtime(path, parsed.error().message);
        return parsed.has_value();
    };
    if (value->is_string()) {
        resolve(value->get<std::string>(), spec.at("runtime"));
        return;
    }
    ObjectReader reader(value, spec.at("runtime"), findings);
    std::string name;
    const bool named = reader.read_text("name", name) && resolve(name, reader.at("name"));
    std::string version;
    const Json* given = reader.take("version");
    if (given && given->is_number_integer())
        version = given->dump();
    else if (given && given->is_string())
        version = given->get<std::string>();
    else if (given)
        findings.add(reader.at("version"), "must be text: write it in quotes, like \"3.11\"");
    if (given && name.empty())
        findings.add(reader.at("name"), "is missing beside version: say python or node");
    if (named && !version.empty()) {
        std::string normal;
        if (!normalise_runtime_version(runtime.name, version, normal)) {
            findings.add_runtime(reader.at("version"),
                                 "\"" + version.substr(0, 40) + "\" is not a version of " + runtime.name +
                                     "; write it like " + (runtime.name == "python" ? "3.11" : "20"));
        } else if (!runtime.version.empty() && normal != runtime.version) {
            findings.add_runtime(reader.at("version"),
                                 "is " + version.substr(0, 40) + ", but the name says " + name);
        } else {
            runtime.version = normal;
        }
    }
    reader.finish();
}

/// The handler becomes part of a file's path: nothing that leaves the bundle, nothing that a loader could
/// misread.
bool is_safe_handler(std::string_view handler) {
    if (handler.empty() || handler.size() > 256 || handler.find("..") != std::string_view::npos) return false;
    size_t segment = 0;
    for (const char c : handler) {
        if (c == '/') {
            if (segment == 0) return false;
            segment = 0;
            continue;
        }
        if (!is_letter(c) && !is_digit(c) && c != '_' && c != '-' && c != '.') return false;
        if (segment++ == 0 && c == '.') return false;
    }
    return segment > 0 && handler.back() != '.';
}

void read_handler(ObjectReader& spec, std::string& handler) {
    if (spec.read_text("handler", handler) && !handler.empty() && !is_safe_handler(handler))
        spec.findings().add(
            spec.at("handler"),
            "must be FILE.FUNCTION below the source folder, like main.handler: letters, digits, _ . - /");
}

void read_source(ObjectReader& spec, std::string& path) {
    auto source = spec.child("source");
    if (source.read_text("path", path) && path.size() > 4096)
        spec.findings().add(source.at("path"), "must have at most 4096 characters");
    source.finish();
}

void name_triggers(std::vector<TriggerSpec>& triggers, const std::string& path, Findings& findings) {
    std::set<std::string> taken;
    for (size_t i = 0; i < triggers.size(); ++i)
        if (!triggers[i].name.empty() && !taken.insert(triggers[i].name).second)
            findings.add(join_path(path, i) + ".name",
                         "is taken by another trigger: \"" + triggers[i].name + "\"");
    for (auto& trigger : triggers) {
        if (!trigger.name.empty()) continue;
        trigger.name = trigger.type;
        for (int n = 2; !taken.insert(trigger.name).second; ++n)
            trigger.name = trigger.type + "-" + std::to_string(n);
    }
}

void read_triggers(ObjectReader& spec, std::vector<TriggerSpec>& triggers) {
    const Json* one = spec.take("trigger");
    const Json* many = spec.read_list("triggers", most_triggers);
    if (one && many) spec.findings().add(spec.at("triggers"), "is there beside trigger: use one of the two");
    if (one) triggers = {read_trigger(*one, spec.at("trigger"), spec.findings())};
    if (many && !one) {
        triggers.clear();
        for (size_t i = 0; i < many->size(); ++i)
            triggers.push_back(read_trigger((*many)[i], join_path(spec.at("triggers"), i), spec.findings()));
    }
    name_triggers(triggers, spec.at("triggers"), spec.findings());
}

void read_resources(ObjectReader& spec, const SpecLimits& limits, ResourceSpec& resources) {
    auto reader = spec.child("resources");
    // A default is what the owner did not choose: it bends to the server's bounds.
    resources.memory = std::min(resources.memory, limits.max_memory);
    resources.timeout = std::min(resources.timeout, limits.max_timeout);
    reader.read_bytes("memory", resources.memory, smallest_memory, limits.max_memory);
    reader.read_cpu("cpu", resources.cpu);
    if (uint32_t quota = 0; reader.read_cpu("cpuLimit", quota)) resources.cpu_limit = quota;
    reader.read_duration("timeout", resources.timeout, 1ms, limits.max_timeout);
    if (milliseconds wait{0}; reader.read_duration("queueTimeout", wait, 1ms, 24h))
        resources.queue_timeout = wait;
    reader.read_duration("idleTimeout", resources.idle_timeout, 1ms, 24h);
    reader.read_bytes("ephemeralStorage", resources.ephemeral_storage, mebi, largest_storage);
    reader.finish();
}

void read_scaling(ObjectReader& spec, ScalingSpec& scaling) {
    auto reader = spec.child("scaling");
    reader.read_count("minScale", scaling.min_scale, 0, 10'000);
    const bool max_given = reader.read_count("maxScale", scaling.max_scale, 1, 10'000);
    reader.read_count("concurrency", scaling.concurrency, 1, 1'000);
    reader.read_duration("scaleDownDelay", scaling.scale_down_delay, 0ms, 24h);
    reader.read_count("warm", scaling.warm, 0, 1'000);
    reader.read_count("queueSize", scaling.queue_size, 0, 100'000);
    if (const Json* target = reader.take("target"); target)
        reader.findings().add(reader.at("target"), "must be null: this server scales on concurrency alone");
    reader.read_only_value("metric", "concurrency");
    if (scaling.min_scale > scaling.max_scale)
        reader.findings().add(reader.at("minScale"), "must not be above maxScale, which is " +
                                                         std::to_string(scaling.max_scale) +
                                                         (max_given ? "" : " unless you set it"));
    reader.finish();
}

/// "" when an owner may set this variable, else what is wrong with it.
std::string check_variable_name(std::string_view name) {
    const auto inner = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
    if (name.empty() || name.size() > 256 || is_digit(name[0]) ||
        !std::all_of(name.begin(), name.end(), inner))
        return "a variable's name must be letters, digits and _, and not begin with a digit";
    if (name.starts_with("HKS_") || name == "_HANDLER")
        return "this variable is set by the platform; take another name";
    return {};
}

/// Scalars are texts in an environment; false when the value is none.
bool variable_text(const Json& value, std::string& out) {
    if (value.is_string())
        out = value.get<std::string>();
    else if (value.is_number() || value.is_boolean())
        out = value.dump();
    else
        return false;
    return true;
}

void read_variables(ObjectReader& environment, FunctionSpec& out) {
    const Json* variables = environment.read_map("variables");
    if (!variables) return;
    Findings& findings = environment.findings();
    size_t size = 0;
    for (const auto& [name, value] : variables->items()) {
        const auto path = join_path(environment.at("variables"), std::string_view(name).substr(0, 100));
        if (const auto wrong = check_variable_name(name); !wrong.empty()) findings.add(path, wrong);
        std::string text;
        if (!variable_text(value, text))
            findings.add(path,
                         value.is_null() ? "has no value; write \"\" for an empty one" : "must be text");
        if (text.find('\0') != std::string::npos) findings.add(path, "must not contain a NUL character");
        size += name.size() + text.size() + 2;
        out.variables[name] = std::move(text);
    }
    if (size > largest_environment)
        findings.add(environment.at("variables"), "must take at most 64Ki together, not " +
                                                      std::to_string(size) +
                                                      " bytes; put files into the bundle");
}

bool is_secret_key(std::string_view key) {
    const auto inner = [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.'; };
    return !key.empty() && key.size() <= 253 && std::all_of(key.begin(), key.end(), inner);
}

SecretRef read_secret(const Json& value, const std::string& path, Findings& findings) {
    SecretRef secret;
    ObjectReader reader(&value, path, findings);
    const auto required = [&](std::string_view key, std::string& out) {
        if (reader.read_text(key, out)) return true;
        if (value.is_object() && (!value.contains(std::string(key)) || value[std::string(key)].is_null()))
            findings.add(reader.at(key), "is missing");
        return false;
    };
    if (required("name", secret.name))
        if (const auto wrong = check_variable_name(secret.name); !wrong.empty())
            findings.add(reader.at("name"), wrong);
    if (required("secretName", secret.secret_name) && !is_valid_name(secret.secret_name))
        findings.add(reader.at("secretName"), "must be the name of a secret: a-z, 0-9 and -, at most 63");
    if (required("secretKey", secret.secret_key) && !is_secret_key(secret.secret_key))
        findings.add(reader.at("secretKey"), "must be a key of the secret: letters, digits, _ - .");
    reader.finish();
    return secret;
}

void read_environment(ObjectReader& spec, FunctionSpec& out) {
    auto environment = spec.child("environment");
    read_variables(environment, out);
    if (const Json* secrets = environment.read_list("secrets", most_secrets)) {
        std::set<std::string> names;
        for (size_t i = 0; i < secrets->size(); ++i) {
            const auto path = join_path(environment.at("secrets"), i);
            auto secret = read_secret((*secrets)[i], path, spec.findings());
            if (!secret.name.empty() &&
                (out.variables.contains(secret.name) || !names.insert(secret.name).second))
                spec.findings().add(path + ".name", "the variable \"" + secret.name + "\" is set twice");
            out.secrets.push_back(std::move(secret));
        }
    }
    environment.finish();
}

}  // namespace

FunctionSpec read_spec(const Json& value, const SpecLimits& limits, const std::string& path,
                       Findings& findings) {
    FunctionSpec spec;
    ObjectReader reader(&value, path, findings);
    read_source(reader, spec.source_path);
    read_runtime(reader, spec.runtime);
    read_handler(reader, spec.handler);
    read_triggers(reader, spec.triggers);
    read_resources(reader, limits, spec.resources);
    read_scaling(reader, spec.scaling);
    read_environment(reader, spec);
    reader.read_only_value("network", "full");
    reader.finish();
    return spec;
}

Result<FunctionSpec> spec_from_json(const Json& value, const SpecLimits& limits, const std::string& prefix) {
    Findings findings;
    FunctionSpec spec = read_spec(value, limits, prefix, findings);
    if (!findings.empty()) return std::move(findings).to_error();
    return spec;
}

Json spec_to_json(const FunctionSpec& spec) {
    Json out;
    if (!spec.source_path.empty()) out["source"] = {{"path", spec.source_path}};
    if (!spec.runtime.name.empty()) out["runtime"] = {{"name", spec.runtime.name}};
    if (!spec.runtime.version.empty()) out["runtime"]["version"] = spec.runtime.version;
    if (!spec.handler.empty()) out["handler"] = spec.handler;
    out["triggers"] = Json::array();
    for (const auto& trigger : spec.triggers) out["triggers"].push_back(trigger_to_json(trigger));

    const auto& r = spec.resources;
    out["resources"] = {{"memory", format_bytes(r.memory)},
                        {"cpu", format_cpu(r.cpu)},
                        {"cpuLimit", r.cpu_limit ? Json(format_cpu(*r.cpu_limit)) : Json()},
                        {"timeout", format_duration(r.timeout)},
                        {"queueTimeout", r.queue_timeout ? Json(format_duration(*r.queue_timeout)) : Json()},
                        {"idleTimeout", format_duration(r.idle_timeout)},
                        {"ephemeralStorage", format_bytes(r.ephemeral_storage)}};
    const auto& s = spec.scaling;
    out["scaling"] = {{"minScale", s.min_scale},
                      {"maxScale", s.max_scale},
                      {"concurrency", s.concurrency},
                      {"target", nullptr},
                      {"metric", "concurrency"},
                      {"scaleDownDelay", format_duration(s.scale_down_delay)},
                      {"warm", s.warm},
                      {"queueSize", s.queue_size}};
    Json secrets = Json::array();
    for (const auto& secret : spec.secrets)
        secrets.push_back(
            {{"name", secret.name}, {"secretName", secret.secret_name}, {"secretKey", secret.secret_key}});
    out["environment"] = {{"variables", spec.variables}, {"secrets", std::move(secrets)}};
    out["network"] = "full";
    return out;
}

}  // namespace hks
