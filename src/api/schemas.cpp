// SPDX-License-Identifier: Apache-2.0
#include "schemas.hpp"

#include <hks/core/function.hpp>

#include <nlohmann/json.hpp>

#include <array>

namespace hks::api {

using nlohmann::json;

namespace {

// "$X" in a value stands for a reference to the schema X, "list:X" for a page of them: see expand().
constexpr const char* objects = R"json({
"Error": {"type": "object", "required": ["error", "code", "details"], "additionalProperties": false, "properties": {
    "error": {"type": "string", "description": "What happened and what to do"},
    "code": {"type": "string", "pattern": "^[A-Z_]+$"},
    "details": {"type": "object", "properties": {"fields": {"type": "array", "items": {
        "type": "object", "required": ["field", "message"], "properties": {
            "field": {"type": "string"}, "message": {"type": "string"}, "line": {"type": "integer"}}}}}}}},
"Name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"},
"Time": {"type": "string", "format": "date-time"},
"Labels": {"type": "object", "additionalProperties": {"type": "string"}},
"AnyObject": {"type": "object"},
"Function": {"type": "object", "additionalProperties": false,
  "required": ["id", "name", "workspace", "status", "url", "active_version", "traffic", "aliases", "labels", "spec",
               "created_at", "updated_at"],
  "properties": {"id": {"type": "string", "pattern": "^fn_"}, "name": "$Name", "workspace": "$Name",
    "status": {"enum": ["pending", "building", "ready", "error", "deleting"]},
    "url": {"type": ["string", "null"], "description": "Of the first enabled http trigger"},
    "active_version": {"type": ["integer", "null"]},
    "traffic": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "Percent by version"},
    "aliases": {"type": "object", "additionalProperties": {"type": "integer"}},
    "labels": "$Labels", "spec": "$FunctionSpec", "created_at": "$Time", "updated_at": "$Time"}},
"FunctionList": "list:Function",
"Notes": {"type": "array", "items": {"type": "string"}, "description": "For people: what was decided for them"},
"Deployment": {"type": "object", "description": "A function, the version that is being built, and notes",
  "allOf": [{"type": "object", "required": ["version", "notes"],
             "properties": {"version": "$Version", "notes": "$Notes"}}],
  "required": ["id", "name", "workspace", "status", "url", "active_version", "traffic", "labels", "spec"],
  "properties": {"id": {"type": "string"}, "name": "$Name", "workspace": "$Name", "status": {"type": "string"},
    "url": {"type": ["string", "null"]}, "active_version": {"type": ["integer", "null"]},
    "traffic": {"type": "object"}, "aliases": {"type": "object"}, "labels": "$Labels", "spec": "$FunctionSpec",
    "created_at": "$Time", "updated_at": "$Time"}},
"FunctionPatched": {"anyOf": ["$Deployment", "$Function"]},
"Version": {"type": "object", "additionalProperties": false,
  "required": ["version", "status", "digest", "runtime", "source", "created_at", "error"],
  "properties": {"version": {"type": "integer", "minimum": 1},
    "status": {"enum": ["pending", "building", "success", "failed"]},
    "digest": {"type": ["string", "null"]}, "runtime": {"type": ["string", "null"]},
    "source": {"type": "object"}, "created_at": "$Time", "error": {"type": ["string", "null"]}}},
"VersionList": "list:Version",
"VersionCreated": {"type": "object", "required": ["version", "status", "notes"],
  "properties": {"version": {"type": "integer", "minimum": 1}, "status": {"type": "string"},
    "digest": {"type": ["string", "null"]}, "runtime": {"type": ["string", "null"]}, "source": {"type": "object"},
    "created_at": "$Time", "error": {"type": ["string", "null"]}, "notes": "$Notes"}},
"BuildLogLine": {"type": "object", "additionalProperties": false, "required": ["index", "time", "text"],
  "properties": {"index": {"type": "integer", "minimum": 0}, "time": "$Time", "text": {"type": "string"}}},
"BuildLog": {"type": "object", "required": ["items", "next_cursor", "finished"],
  "properties": {"items": {"type": "array", "items": "$BuildLogLine"}, "next_cursor": {"type": ["string", "null"]},
    "finished": {"type": "boolean"}}},
"TriggerConfig": {"type": "object", "additionalProperties": false, "properties": {
    "path": {"type": ["string", "null"], "examples": ["/users/{id}", "/files/*"]},
    "methods": {"type": ["array", "null"], "items": {"type": "string"}},
    "auth": {"type": ["object", "string", "null"], "properties": {"type": {"enum": ["public", "token"]}}}}},
"Trigger": {"type": "object", "additionalProperties": false,
  "required": ["id", "name", "type", "enabled", "url", "auth", "config", "status"],
  "properties": {"id": {"type": "string", "pattern": "^trg_"}, "name": "$Name", "type": {"enum": ["http"]},
    "enabled": {"type": "boolean"}, "url": {"type": "string"},
    "auth": {"enum": ["public", "token"], "description": "In force: the trigger's own, else gateway.default_auth"},
    "config": "$TriggerConfig",
    "status": {"enum": ["active", "pending", "disabled"]}}},
"TriggerList": "list:Trigger",
"Log": {"type": "object", "additionalProperties": false,
  "required": ["time", "level", "message", "invocation_id", "version", "stream"],
  "properties": {"time": "$Time", "level": {"enum": ["debug", "info", "warn", "error"]},
    "message": {"type": "string"}, "invocation_id": {"type": ["string", "null"]}, "version": {"type": "integer"},
    "stream": {"enum": ["stdout", "stderr", "log", "platform"]}}},
"LogList": "list:Log",
"Counts": {"type": "object", "required": ["requests", "errors", "cold_starts", "queued", "instances", "duration_ms"],
  "properties": {"requests": {"type": "integer"}, "errors": {"type": "integer"}, "cold_starts": {"type": "integer"},
    "queued": {"type": "integer"},
    "instances": {"type": "object", "required": ["starting", "ready", "busy"],
      "additionalProperties": {"type": "integer"}},
    "duration_ms": {"type": "object", "required": ["avg", "p50", "p95", "p99"],
      "additionalProperties": {"type": ["number", "null"]}}}},
"FunctionMetrics": {"allOf": ["$Counts"], "type": "object", "required": ["function", "versions"],
  "properties": {"function": "$Name", "versions": {"type": "array", "items": {"allOf": ["$Counts"], "type": "object",
    "required": ["version"], "properties": {"version": {"type": "integer"}}}}}},
"InvokeResult": {"type": "object", "additionalProperties": false,
  "required": ["status_code", "headers", "body", "duration_ms", "cold_start", "invocation_id", "version"],
  "properties": {"status_code": {"type": "integer"},
    "headers": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    "body": {"type": "string", "contentEncoding": "base64"}, "duration_ms": {"type": "number"},
    "cold_start": {"type": "boolean"}, "invocation_id": {"type": "string"}, "version": {"type": "integer"},
    "error": {"type": "object", "required": ["type", "message", "stack"], "properties": {
      "type": {"type": "string"}, "message": {"type": "string"}, "stack": {"type": "string"}}}}},
"Secret": {"type": "object", "additionalProperties": false, "required": ["name", "keys", "created_at"],
  "properties": {"name": "$Name", "keys": {"type": "array", "items": {"type": "string"}}, "created_at": "$Time"}},
"SecretList": "list:Secret",
"Token": {"type": "object", "additionalProperties": false,
  "required": ["id", "name", "role", "scopes", "workspace", "created_at", "expires_at", "last_used_at"],
  "properties": {"id": {"type": "string", "pattern": "^tok_"}, "name": {"type": "string"},
    "role": {"enum": ["viewer", "developer", "admin", null]},
    "scopes": {"type": "array", "items": {"enum": ["invoke"]}},
    "workspace": {"type": ["string", "null"], "description": "null: every workspace"}, "created_at": "$Time",
    "expires_at": {"type": ["string", "null"], "format": "date-time"},
    "last_used_at": {"type": ["string", "null"], "format": "date-time"}}},
"TokenList": "list:Token",
"TokenCreated": {"type": "object", "additionalProperties": false, "required": ["id", "name", "token"],
  "properties": {"id": {"type": "string"}, "name": {"type": "string"}, "token": {"type": "string"}}},
"Workspace": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {"name": "$Name"}},
"WorkspaceList": "list:Workspace",
"Capabilities": {"type": "object", "required": ["version", "backend", "runtimes", "isolation", "enforcement", "limits"],
  "properties": {"version": {"type": "string"}, "backend": {"type": "string"},
    "runtimes": {"type": "array", "items": {"type": "object", "required": ["name", "language", "version"],
      "properties": {"name": {"type": "string"}, "language": {"type": "string"}, "version": {"type": "string"}}}},
    "isolation": {"type": "object", "description": "Layers of the sandbox and whether they are in force"},
    "enforcement": {"type": "object", "description": "How the limits of an instance are enforced here"}, "limits": {"type": "object", "additionalProperties": {"type": "string"}}}},
"ProviderHealth": {"type": "object", "required": ["status", "backend", "version", "functions"],
  "properties": {"status": {"enum": ["ok", "draining"]}, "backend": {"type": "string"}, "version": {"type": "string"},
    "functions": {"type": "integer"}}},
"Health": {"type": "object", "required": ["status"], "properties": {"status": {"enum": ["ok"]}}},
"Ready": {"type": "object", "required": ["ready"], "properties": {"ready": {"type": "boolean"}}}
})json";

constexpr const char* bodies = R"json({
"FunctionCreate": {"type": "object", "additionalProperties": false, "required": ["name", "source_code"],
  "description": "A whole spec, or the short forms in its place", "properties": {
    "name": "$Name", "spec": "$FunctionSpec", "labels": "$Labels",
    "runtime": {"type": "string", "examples": ["python3.11", "nodejs20"]}, "handler": {"type": "string"},
    "memory": {"type": ["string", "integer"], "description": "\"256Mi\"; a bare number is MiB"},
    "timeout": {"type": ["string", "integer"], "description": "\"30s\"; a bare number is seconds"},
    "environment": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
    "source_code": {"type": "string", "contentEncoding": "base64", "description": "One file, a zip or a tar(.gz)"},
    "filename": {"type": "string", "description": "Of source_code when it is one file"},
    "traffic": {"type": "boolean", "default": true, "description": "Switch to the version when it is built"}}},
"FunctionReplace": {"$from": "FunctionCreate",
  "description": "What is left out gets its default; without code, that of the active version is used again"},
"VersionCreate": {"$from": "FunctionCreate",
  "description": "What is left out stays as it is; without code, that of the active version is used again"},
"DeployForm": {"type": "object", "additionalProperties": false, "properties": {
    "spec": {"type": "string", "description": "JSON or YAML: a spec, a whole function.yaml, or the JSON body of this route"},
    "archive": {"type": "string", "contentMediaType": "application/octet-stream", "description": "zip, tar, tar.gz or one file"},
    "name": "$Name", "labels": {"type": "string", "description": "JSON object"}, "traffic": {"enum": ["true", "false"]}}},
"FunctionPatch": {"type": "object", "additionalProperties": false, "properties": {
    "spec": {"type": "object", "description": "JSON merge patch (RFC 7396) of the spec"},
    "labels": {"type": "object", "additionalProperties": {"type": ["string", "null"]}}}},
"Rollback": {"type": "object", "additionalProperties": false, "properties": {
    "target_version": {"type": ["integer", "null"], "minimum": 1, "description": "The newest before the active one when left out"}}},
"TriggerWrite": {"type": "object", "additionalProperties": false, "properties": {
    "name": {"type": ["string", "null"]}, "type": {"enum": ["http"]}, "enabled": {"type": "boolean", "default": true},
    "config": "$TriggerConfig", "path": {"type": ["string", "null"]},
    "methods": {"type": ["array", "null"], "items": {"type": "string"}},
    "auth": {"type": ["object", "string", "null"]}}},
"Invoke": {"type": "object", "additionalProperties": false, "properties": {
    "method": {"enum": ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"], "default": "POST"},
    "path": {"type": "string", "pattern": "^/", "default": "/"}, "headers": "$MultiMap", "query": "$MultiMap",
    "body": {"type": "string", "contentEncoding": "base64"}, "version": {"type": "integer", "minimum": 1}}},
"MultiMap": {"type": "object", "additionalProperties": {"anyOf": [
    {"type": "string"}, {"type": "array", "items": {"type": "string"}}]}},
"SecretData": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}},
"SecretWrite": {"type": "object", "additionalProperties": false, "required": ["name", "data"], "properties": {
    "name": "$Name", "data": "$SecretData"}},
"SecretReplace": {"type": "object", "additionalProperties": false, "required": ["data"], "properties": {
    "name": "$Name", "data": "$SecretData"}},
"TokenCreate": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
    "name": "$Name", "role": {"enum": ["viewer", "developer", "admin"]},
    "scopes": {"type": "array", "items": {"enum": ["invoke"]}, "description": "Instead of a role, or beside it"},
    "workspace": "$Name",
    "expires_in": {"type": ["string", "integer"], "description": "\"24h\", or seconds; never when left out"}}}
})json";

constexpr std::array parameters{
    ParameterDoc{"ws", "Workspace", R"({"type": "string"})"},
    ParameterDoc{"f", "Name or id of a function", R"({"type": "string"})"},
    ParameterDoc{"v", "Number of a version", R"({"type": "integer", "minimum": 1})"},
    ParameterDoc{"t", "Name or id of a trigger", R"({"type": "string"})"},
    ParameterDoc{"name", "Name of a secret", R"({"type": "string"})"},
    ParameterDoc{"id", "Id or name of a token", R"({"type": "string"})"},
    ParameterDoc{"limit", "Items of a page. Logs: the newest so many lines (up to 10000), cursor goes on before "
                 "them",
                 R"({"type": "integer", "minimum": 0})"},
    ParameterDoc{"cursor", "The next_cursor of the page before", R"({"type": "string"})"},
    ParameterDoc{"follow", "Go on with what comes: server-sent events, one object each",
                 R"({"type": "boolean"})"},
    ParameterDoc{"activate", "Switch to the version when it is built",
                 R"({"type": "boolean", "default": true})"},
    ParameterDoc{"since", "From this time on, or from this long ago (15m)", R"({"type": "string"})"},
    ParameterDoc{"until", "Up to this time, or to this long ago", R"({"type": "string"})"},
    ParameterDoc{"level", "This level and above", R"({"enum": ["debug", "info", "warn", "error"]})"},
    ParameterDoc{"invocation_id", "Lines of this invocation only",
                 R"({"type": "string", "pattern": "^[0-9a-f]{32}$"})"},
    ParameterDoc{"version", "Lines of this version only", R"({"type": "integer", "minimum": 1})"},
};

json reference(const std::string& name) {
    return {{"$ref", "#/components/schemas/" + name}};
}

/// Replaces the abbreviations of the texts above.
json expand(const json& value) {
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        if (text.size() > 1 && text[0] == '$' && text[1] >= 'A' && text[1] <= 'Z')
            return reference(text.substr(1));
        if (text.starts_with("list:"))
            return {{"type", "object"},
                    {"additionalProperties", false},
                    {"required", {"items", "next_cursor"}},
                    {"properties",
                     {{"items", {{"type", "array"}, {"items", reference(text.substr(5))}}},
                      {"next_cursor", {{"type", {"string", "null"}}}}}}};
        return value;
    }
    if (!value.is_object() && !value.is_array()) return value;
    json out = value;
    for (json& member : out) member = expand(member);
    return out;
}

}  // namespace

json component_schemas() {
    json out = expand(json::parse(objects));
    const json requests = expand(json::parse(bodies));
    for (const auto& [name, schema] : requests.items()) {
        json copy = schema;
        if (copy.contains("$from")) {
            copy = requests.at(schema.at("$from").get<std::string>());
            copy.erase("required");
            copy["description"] = schema.at("description");
        }
        out[name] = std::move(copy);
    }
    // The manifest's schema is the one truth about a spec.
    out["FunctionSpec"] = reference("Manifest/properties/spec");
    out["Manifest"] = manifest_json_schema();
    return out;
}

ParameterDoc parameter_doc(std::string_view name) {
    for (const ParameterDoc& doc : parameters)
        if (doc.name == name) return doc;
    return {};
}

}  // namespace hks::api
