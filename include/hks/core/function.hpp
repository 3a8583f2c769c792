// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a function is, as its owner describes it: the manifest's `spec`, used unchanged by REST, registry, build,
// dispatch and runtime. Plain values. JSON is camelCase exactly as in the manifest.
// A field that this server cannot honour yet is unknown to it, and an unknown field is an error that names it.

#include <hks/core/clock.hpp>
#include <hks/core/error.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hks {

struct RuntimeSpec {
    std::string name;     ///< "python" | "node" after normalisation; empty = detect from the files
    std::string version;  ///< "3.11", "20"; empty = whatever the host has
    bool operator==(const RuntimeSpec&) const = default;
};

struct ResourceSpec {
    uint64_t memory = 128ull << 20;          ///< bytes
    uint32_t cpu = 100;                      ///< weight, thousandths of a core
    std::optional<uint32_t> cpu_limit;       ///< quota, thousandths of a core; none = no quota
    milliseconds timeout{30'000};            ///< from the handler's start
    std::optional<milliseconds> queue_timeout;  ///< waiting for an instance; none = timeout
    milliseconds idle_timeout{60'000};       ///< silence allowed within a stream
    uint64_t ephemeral_storage = 512ull << 20;  ///< bytes of /tmp
    bool operator==(const ResourceSpec&) const = default;
};

struct ScalingSpec {
    uint32_t min_scale = 0;
    uint32_t max_scale = 100;
    uint32_t concurrency = 1;
    milliseconds scale_down_delay{30'000};
    uint32_t warm = 0;         ///< prepared but idle instances beyond the busy ones
    uint32_t queue_size = 1000;
    bool operator==(const ScalingSpec&) const = default;
};

struct SecretRef {
    std::string name;         ///< environment variable
    std::string secret_name;
    std::string secret_key;
    bool operator==(const SecretRef&) const = default;
};

enum class TriggerAuth { inherit, public_access, token };  ///< inherit = gateway.default_auth

/// One http trigger. `path` empty = /functions/{name}.
struct TriggerSpec {
    std::string name;                  ///< unique within the function; made up ("http", "http-2") when absent
    std::string type = "http";
    bool enabled = true;
    std::string path;                  ///< "/users/{id}", "/files/*"
    std::vector<std::string> methods;  ///< upper case; empty = any
    TriggerAuth auth = TriggerAuth::inherit;
    bool operator==(const TriggerSpec&) const = default;
};

struct FunctionSpec {
    std::string source_path;  ///< where the client packs from; "" on the server
    RuntimeSpec runtime;
    std::string handler;      ///< "main.handler"; empty = try the usual names
    std::vector<TriggerSpec> triggers{TriggerSpec{}};
    ResourceSpec resources;
    ScalingSpec scaling;
    std::map<std::string, std::string> variables;
    std::vector<SecretRef> secrets;
    bool operator==(const FunctionSpec&) const = default;

    milliseconds queue_timeout() const { return resources.queue_timeout.value_or(resources.timeout); }
};

/// A whole function.yaml.
struct Manifest {
    std::string name;                           ///< metadata.name
    std::string workspace;                      ///< "" = not said
    std::map<std::string, std::string> labels;
    FunctionSpec spec;
};

/// Bounds that the server's configuration may raise.
struct SpecLimits {
    uint64_t max_memory = 2ull << 30;
    milliseconds max_timeout{900'000};
};

/// JSON (the manifest's `spec`) → FunctionSpec. Reports every wrong field; paths start with `prefix`.
Result<FunctionSpec> spec_from_json(const nlohmann::json& spec, const SpecLimits& limits = {},
                                    const std::string& prefix = "spec");
nlohmann::json spec_to_json(const FunctionSpec& spec);

/// One trigger as in REST ({type, name?, enabled?, config{path, methods, auth}} or flat as in the manifest). A name
/// that is not there stays "": only who knows the function's other triggers can make one up.
Result<TriggerSpec> trigger_from_json(const nlohmann::json& trigger, const std::string& prefix = "trigger");
nlohmann::json trigger_to_json(const TriggerSpec& trigger);  ///< flat, as in the manifest

/// {"team": "a"} → labels, checked as in the manifest; null = none.
Result<std::map<std::string, std::string>> labels_from_json(const nlohmann::json& labels,
                                                            const std::string& prefix = "labels");

/// function.yaml (or JSON) → Manifest; every error carries field and line.
Result<Manifest> parse_manifest(const std::string& text, const SpecLimits& limits = {});
/// YAML or JSON text of a bare spec (multipart part "spec").
Result<FunctionSpec> parse_spec_text(const std::string& text, const SpecLimits& limits = {});
/// The JSON Schema that /schema/function.json serves.
nlohmann::json manifest_json_schema();

/// "python3.9", "python39", "node", "nodejs18.x", "node18" → {name, version}; INVALID_RUNTIME otherwise.
Result<RuntimeSpec> parse_runtime(std::string_view spelling);

/// Path patterns of http triggers: "/a/{id}/b", "/files/*". VALIDATION_ERROR for reserved prefixes, "..", empty
/// segments, a wildcard that is not last, a parameter named twice.
Result<void> check_trigger_path(std::string_view path);

}  // namespace hks
