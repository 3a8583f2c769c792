// SPDX-License-Identifier: Apache-2.0
#include "../context.hpp"
#include "../objects.hpp"
#include "handlers.hpp"

#include <hks/core/build_info.hpp>
#include <hks/core/json_gate.hpp>
#include <hks/core/units.hpp>
#include <hks/dispatch/dispatcher.hpp>
#include <hks/runtime/instance.hpp>
#include <hks/runtime/runtime_table.hpp>
#include <hks/telemetry/metrics.hpp>

#include <nlohmann/json.hpp>

namespace hks::api {

using nlohmann::json;

Result<ApiResponse> list_workspaces(Context&, const ApiRequest& request) {
    json items = json::array();
    if (request.principal.workspace.empty() || request.principal.workspace == "default")
        items.push_back({{"name", "default"}});
    return json_response(200, list_json(std::move(items), std::nullopt));
}

Result<ApiResponse> provider_capabilities(Context& context, const ApiRequest&) {
    const ApiOptions& options = context.options;
    json runtimes = json::array();
    for (const auto& found : context.services.runtimes.found())
        runtimes.push_back(
            {{"name", found.label()}, {"language", found.language}, {"version", found.version}});
    json backend = json::object();
    if (auto parsed = parse_json(context.services.backend.capabilities_json()); parsed && parsed->is_object())
        backend = std::move(*parsed);
    return json_response(200, {{"version", build_version()},
                               {"backend", options.backend},
                               {"runtimes", std::move(runtimes)},
                               {"isolation", backend.value("isolation", json::object())},
                               {"enforcement", backend.value("limits", json::object())},
                               {"limits",
                                {{"memory", format_bytes(options.spec_limits.max_memory)},
                                 {"timeout", format_duration(options.spec_limits.max_timeout)},
                                 {"package", format_bytes(options.max_package)},
                                 {"request_body", format_bytes(options.max_call)},
                                 {"response_body", format_bytes(options.max_response)}}}});
}

Result<ApiResponse> provider_health(Context& context, const ApiRequest&) {
    return json_response(200, {{"status", context.draining ? "draining" : "ok"},
                               {"backend", context.options.backend},
                               {"version", build_version()},
                               {"functions", context.services.registry.watch().get()->functions.size()}});
}

Result<ApiResponse> liveness(Context&, const ApiRequest&) {
    return json_response(200, {{"status", "ok"}});
}

Result<ApiResponse> readiness(Context& context, const ApiRequest&) {
    return json_response(context.draining ? 503 : 200, {{"ready", !context.draining}});
}

Result<ApiResponse> metrics_text(Context& context, const ApiRequest&) {
    ApiResponse response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = context.services.metrics.render();
    return response;
}

Result<ApiResponse> openapi_document(Context&, const ApiRequest&) {
    ApiResponse response;
    response.body = openapi_text();
    return response;
}

Result<ApiResponse> function_schema(Context&, const ApiRequest&) {
    ApiResponse response = json_response(200, manifest_json_schema());
    response.content_type = "application/schema+json";
    return response;
}

}  // namespace hks::api
