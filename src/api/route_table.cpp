// SPDX-License-Identifier: Apache-2.0
#include "route_table.hpp"

#include "handlers/handlers.hpp"

#include <array>

// One row a route, in the order of the contract: a macro only for the two prefixes, so that a row fits two lines.
#define WS "/api/v1/workspaces/{ws}"
#define FN WS "/functions/{f}"

namespace hks::api {
namespace {

using enum auth::Action;
using enum Kind;

constexpr std::array table{
    Route{.method = "POST", .pattern = WS "/functions", .id = "function.create", .tag = "functions",
          .summary = "Create a function; its first version is built at once", .handler = create_function,
          .action = write, .body = BodyKind::package, .request = "FunctionCreate", .response = "Deployment",
          .status = 201, .audited = true},
    Route{.method = "GET", .pattern = WS "/functions", .id = "function.list", .tag = "functions",
          .summary = "List the functions of a workspace", .handler = list_functions, .response = "FunctionList",
          .query = "limit cursor"},
    Route{.method = "GET", .pattern = FN, .id = "function.get", .tag = "functions", .summary = "Read a function",
          .handler = get_function, .response = "Function", .etag = true},
    Route{.method = "PUT", .pattern = FN, .id = "function.replace", .tag = "functions",
          .summary = "Replace a function's settings (and code, when given) by a new version",
          .handler = replace_function, .action = write, .body = BodyKind::package, .request = "FunctionReplace",
          .response = "Deployment", .if_match = true, .etag = true, .audited = true},
    Route{.method = "PATCH", .pattern = FN, .id = "function.patch", .tag = "functions",
          .summary = "Change single settings (JSON merge patch); a changed spec makes a new version",
          .handler = patch_function, .action = write, .body = BodyKind::json, .request = "FunctionPatch",
          .response = "FunctionPatched", .if_match = true, .etag = true, .audited = true},
    Route{.method = "DELETE", .pattern = FN, .id = "function.delete", .tag = "functions",
          .summary = "Delete a function, its versions and its logs", .handler = delete_function, .action = write,
          .status = 204, .if_match = true, .audited = true},

    Route{.method = "POST", .pattern = FN "/versions", .id = "version.create", .tag = "versions",
          .summary = "Build a new version", .handler = add_version, .action = write, .body = BodyKind::package,
          .request = "VersionCreate", .response = "VersionCreated", .status = 201, .query = "activate",
          .if_match = true, .audited = true},
    Route{.method = "GET", .pattern = FN "/versions", .id = "version.list", .tag = "versions",
          .summary = "List the versions of a function, newest first", .handler = list_versions,
          .response = "VersionList", .query = "limit cursor"},
    Route{.method = "GET", .pattern = FN "/versions/{v}", .id = "version.get", .tag = "versions",
          .summary = "Read a version", .handler = get_version, .response = "Version"},
    Route{.method = "PUT", .pattern = FN "/versions/{v}/active", .id = "version.activate", .tag = "versions",
          .summary = "Switch to a version", .handler = activate_version, .action = write, .response = "Function",
          .if_match = true, .etag = true, .audited = true},
    Route{.method = "GET", .pattern = FN "/versions/{v}/logs", .id = "version.logs", .tag = "versions",
          .summary = "Read or follow the log of a version's build", .handler = get_build_log,
          .stream = follow_build_log, .response = "BuildLog", .query = "limit cursor follow"},
    Route{.method = "POST", .pattern = FN "/rollback", .id = "function.rollback", .tag = "versions",
          .summary = "Switch back to an earlier version", .handler = rollback_function, .action = write,
          .body = BodyKind::json, .request = "Rollback", .response = "Function", .if_match = true, .etag = true,
          .audited = true},

    Route{.method = "POST", .pattern = FN "/triggers", .id = "trigger.create", .tag = "triggers",
          .summary = "Add a trigger", .handler = add_trigger, .action = write, .body = BodyKind::json,
          .request = "TriggerWrite", .response = "Trigger", .status = 201, .audited = true},
    Route{.method = "GET", .pattern = FN "/triggers", .id = "trigger.list", .tag = "triggers",
          .summary = "List the triggers of a function", .handler = list_triggers, .response = "TriggerList",
          .query = "limit cursor"},
    Route{.method = "GET", .pattern = FN "/triggers/{t}", .id = "trigger.get", .tag = "triggers",
          .summary = "Read a trigger", .handler = get_trigger, .response = "Trigger"},
    Route{.method = "PUT", .pattern = FN "/triggers/{t}", .id = "trigger.replace", .tag = "triggers",
          .summary = "Replace, enable or disable a trigger", .handler = replace_trigger, .action = write,
          .body = BodyKind::json, .request = "TriggerWrite", .response = "Trigger", .audited = true},
    Route{.method = "DELETE", .pattern = FN "/triggers/{t}", .id = "trigger.delete", .tag = "triggers",
          .summary = "Remove a trigger", .handler = delete_trigger, .action = write, .status = 204,
          .audited = true},

    Route{.method = "POST", .pattern = FN "/invoke", .id = "function.invoke", .tag = "functions",
          .summary = "Call a function and get everything there is to know about the call", .kind = stream,
          .stream = invoke_function, .action = invoke, .body = BodyKind::call, .request = "Invoke",
          .response = "InvokeResult"},
    Route{.method = "GET", .pattern = FN "/logs", .id = "function.logs", .tag = "functions",
          .summary = "Read or follow what a function printed", .handler = get_logs, .stream = follow_logs,
          .response = "LogList", .query = "since until limit cursor level invocation_id version follow"},
    Route{.method = "GET", .pattern = FN "/metrics", .id = "function.metrics", .tag = "functions",
          .summary = "Counts, durations and instances since the server started", .kind = loop,
          .handler = function_metrics, .response = "FunctionMetrics"},

    Route{.method = "POST", .pattern = WS "/secrets", .id = "secret.create", .tag = "secrets",
          .summary = "Store a secret; its values are never given back", .handler = create_secret, .action = write,
          .body = BodyKind::json, .request = "SecretWrite", .response = "Secret", .status = 201, .audited = true},
    Route{.method = "GET", .pattern = WS "/secrets", .id = "secret.list", .tag = "secrets",
          .summary = "List the secrets of a workspace, without values", .handler = list_secrets,
          .response = "SecretList", .query = "limit cursor"},
    Route{.method = "GET", .pattern = WS "/secrets/{name}", .id = "secret.get", .tag = "secrets",
          .summary = "Read the keys of a secret", .handler = get_secret, .response = "Secret"},
    Route{.method = "PUT", .pattern = WS "/secrets/{name}", .id = "secret.replace", .tag = "secrets",
          .summary = "Store or replace a secret", .handler = replace_secret, .action = write,
          .body = BodyKind::json, .request = "SecretReplace", .response = "Secret", .audited = true},
    Route{.method = "DELETE", .pattern = WS "/secrets/{name}", .id = "secret.delete", .tag = "secrets",
          .summary = "Delete a secret", .handler = delete_secret, .action = write, .status = 204, .audited = true},

    Route{.method = "POST", .pattern = WS "/tokens", .id = "token.create", .tag = "tokens",
          .summary = "Make a token; its value is in this answer only", .handler = create_token,
          .action = manage_tokens, .body = BodyKind::json, .request = "TokenCreate", .response = "TokenCreated",
          .status = 201, .secret_answer = true, .audited = true},
    Route{.method = "GET", .pattern = WS "/tokens", .id = "token.list", .tag = "tokens",
          .summary = "List the tokens, never their values", .handler = list_tokens, .action = manage_tokens,
          .response = "TokenList", .query = "limit cursor"},
    Route{.method = "DELETE", .pattern = WS "/tokens/{id}", .id = "token.revoke", .tag = "tokens",
          .summary = "Revoke a token at once, by id or name", .handler = revoke_token, .action = manage_tokens,
          .status = 204, .audited = true},

    Route{.method = "GET", .pattern = "/api/v1/workspaces", .id = "workspace.list", .tag = "server",
          .summary = "List the workspaces that the token may see", .kind = loop, .handler = list_workspaces,
          .response = "WorkspaceList"},
    Route{.method = "GET", .pattern = "/api/v1/provider/capabilities", .id = "provider.capabilities",
          .tag = "server", .summary = "What this server can do here: runtimes, isolation, limits", .kind = loop,
          .handler = provider_capabilities, .response = "Capabilities"},
    Route{.method = "GET", .pattern = "/api/v1/provider/health", .id = "provider.health", .tag = "server",
          .summary = "How the server is", .kind = loop, .handler = provider_health, .response = "ProviderHealth"},
    Route{.method = "GET", .pattern = "/healthz", .id = "healthz", .tag = "server",
          .summary = "The process answers", .kind = loop, .handler = liveness, .open = true, .response = "Health"},
    Route{.method = "GET", .pattern = "/readyz", .id = "readyz", .tag = "server",
          .summary = "The server takes calls; 503 while it stops", .kind = loop, .handler = readiness, .open = true,
          .response = "Ready"},
    Route{.method = "GET", .pattern = "/metrics", .id = "metrics", .tag = "server",
          .summary = "Metrics in Prometheus text format", .kind = loop, .handler = metrics_text,
          .response = "", .media_type = "text/plain; version=0.0.4"},
    Route{.method = "GET", .pattern = "/openapi.json", .id = "openapi", .tag = "server",
          .summary = "This document", .kind = loop, .handler = openapi_document, .open = true,
          .response = "AnyObject"},
    Route{.method = "GET", .pattern = "/schema/function.json", .id = "schema.function", .tag = "server",
          .summary = "The JSON Schema of function.yaml", .kind = loop, .handler = function_schema, .open = true,
          .response = "AnyObject"},
};

}  // namespace

std::span<const Route> routes() { return table; }

}  // namespace hks::api

#undef FN
#undef WS
