// SPDX-License-Identifier: Apache-2.0
#include "../context.hpp"
#include "../json_fields.hpp"
#include "../objects.hpp"
#include "handlers.hpp"

#include <nlohmann/json.hpp>

namespace hks::api {

using nlohmann::json;

namespace {

Result<TriggerSpec> read_trigger(const ApiRequest& request) {
    auto object = parse_object(request.body, request.content_type);
    if (!object) return object.error();
    return trigger_from_json(*object);
}

const std::string& trigger_of(const ApiRequest& request) {
    return request.parameters.find("t")->second;
}

json object_of(const Context& context, const ApiRequest& request, const registry::FunctionRecord& function,
               const registry::TriggerEntry& trigger) {
    return trigger_json(function, trigger, request.base_url, context.options.default_auth);
}

ApiResponse trigger_response(const Context& context, const ApiRequest& request, int status,
                             const registry::FunctionRecord& function,
                             const registry::TriggerEntry& trigger) {
    ApiResponse response = json_response(status, object_of(context, request, function, trigger));
    response.etag = etag_of(trigger);
    return response;
}

Error trigger_not_found(const registry::FunctionRecord& function, const std::string& name) {
    return {Errc::trigger_not_found, "The function '" + function.name + "' has no trigger '" + name +
                                         "'. GET functions/" + function.name + "/triggers lists them."};
}

}  // namespace

Result<ApiResponse> add_trigger(Context& context, const ApiRequest& request) {
    auto function = context.services.registry.get(request.workspace(), request.function());
    if (!function) return function.error();
    auto spec = read_trigger(request);
    if (!spec) return spec.error();
    auto trigger = context.services.registry.add_trigger(function->workspace, function->id, *spec);
    if (!trigger) return trigger.error();
    ApiResponse response = trigger_response(context, request, 201, *function, *trigger);
    response.location = request.path + "/" + trigger->spec.name;
    response.audit_target = function->name + "/" + trigger->spec.name;
    return response;
}

Result<ApiResponse> list_triggers(Context& context, const ApiRequest& request) {
    auto page = read_page(request);
    if (!page) return page.error();
    auto function = context.services.registry.get(request.workspace(), request.function());
    if (!function) return function.error();
    const auto triggers = page_of(function->triggers, *page,
                                  [](const registry::TriggerEntry& entry) { return entry.spec.name; });
    json items = json::array();
    for (const auto& trigger : triggers.items)
        items.push_back(object_of(context, request, *function, trigger));
    return json_response(200, list_json(std::move(items), triggers.next_cursor));
}

Result<ApiResponse> get_trigger(Context& context, const ApiRequest& request) {
    auto function = context.services.registry.get(request.workspace(), request.function());
    if (!function) return function.error();
    for (const auto& trigger : function->triggers)
        if (trigger.id == trigger_of(request) || trigger.spec.name == trigger_of(request))
            return trigger_response(context, request, 200, *function, trigger);
    return trigger_not_found(*function, trigger_of(request));
}

Result<ApiResponse> replace_trigger(Context& context, const ApiRequest& request) {
    auto expected = expected_revision(request);
    if (!expected) return expected.error();
    auto function = context.services.registry.get(request.workspace(), request.function());
    if (!function) return function.error();
    auto spec = read_trigger(request);
    if (!spec) return spec.error();
    auto trigger = context.services.registry.update_trigger(function->workspace, function->id,
                                                            trigger_of(request), *spec, *expected);
    if (!trigger) return trigger.error();
    return trigger_response(context, request, 200, *function, *trigger);
}

Result<ApiResponse> delete_trigger(Context& context, const ApiRequest& request) {
    auto expected = expected_revision(request);
    if (!expected) return expected.error();
    auto removed = context.services.registry.remove_trigger(request.workspace(), request.function(),
                                                            trigger_of(request), *expected);
    if (!removed) return removed.error();
    ApiResponse response;
    response.status = 204;
    return response;
}

}  // namespace hks::api
