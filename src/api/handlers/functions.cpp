// SPDX-License-Identifier: Apache-2.0
#include "../json_fields.hpp"
#include "../objects.hpp"
#include "deploy.hpp"
#include "handlers.hpp"

#include <nlohmann/json.hpp>

namespace hks::api {

using nlohmann::json;

namespace {

ApiResponse function_response(const registry::FunctionRecord& function, const ApiRequest& request) {
    ApiResponse response = json_response(200, function_json(function, request.base_url));
    response.etag = etag_of(function);
    return response;
}

ApiResponse deployed_response(const Deployed& deployed, const ApiRequest& request, int status) {
    ApiResponse response = json_response(status, deployed_json(deployed, request.base_url));
    response.etag = etag_of(deployed.function);
    return response;
}

Result<void> check_revision(const registry::FunctionRecord& function, const std::string& expected) {
    if (expected.empty() || expected == std::to_string(function.revision)) return {};
    return Error(Errc::precondition_failed,
                 "The function '" + function.name +
                     "' was changed by someone else since you read it. Read it again and "
                     "decide whether your change still holds.");
}

}  // namespace

Result<ApiResponse> create_function(Context& context, const ApiRequest& request) {
    auto body = read_deploy_body(request.content_type, request.body, {}, context.options.spec_limits, true);
    if (!body) return body.error();
    if (auto same = check_workspace(*body, request.workspace()); !same) return same.error();

    registry::NewVersion wanted;
    wanted.spec = body->spec.value_or(FunctionSpec{});
    wanted.labels = body->labels.value_or(std::map<std::string, std::string>{});
    wanted.activate = body->traffic;
    auto notes = context.services.builds.check(wanted.spec, body->source);
    if (!notes) return notes.error();
    auto made = context.services.registry.create(request.workspace(), body->name, wanted);
    if (!made) return made.error();
    context.services.builds.enqueue(made->first, made->second, std::move(body->source));

    const Deployed deployed{std::move(made->first), std::move(made->second), std::move(*notes)};
    ApiResponse response = deployed_response(deployed, request, 201);
    response.location = request.path + "/" + deployed.function.name;
    response.audit_target = deployed.function.name;
    return response;
}

Result<ApiResponse> list_functions(Context& context, const ApiRequest& request) {
    auto page = read_page(request);
    if (!page) return page.error();
    auto functions = context.services.registry.list(request.workspace(), *page);
    if (!functions) return functions.error();
    json items = json::array();
    for (const auto& function : functions->items) items.push_back(function_json(function, request.base_url));
    return json_response(200, list_json(std::move(items), functions->next_cursor));
}

Result<ApiResponse> get_function(Context& context, const ApiRequest& request) {
    auto function = context.services.registry.get(request.workspace(), request.function());
    if (!function) return function.error();
    return function_response(*function, request);
}

Result<ApiResponse> replace_function(Context& context, const ApiRequest& request) {
    auto expected = expected_revision(request);
    if (!expected) return expected.error();
    auto current = context.services.registry.get(request.workspace(), request.function());
    if (!current) return current.error();
    auto body = read_deploy_body(request.content_type, request.body, {}, context.options.spec_limits);
    if (!body) return body.error();
    if (auto same = check_target(*body, *current); !same) return same.error();
    if (!body->spec) body->spec = FunctionSpec{};
    if (!body->labels) body->labels.emplace();
    auto deployed = deploy_version(context, *current, std::move(*body), *expected);
    if (!deployed) return deployed.error();
    return deployed_response(*deployed, request, 200);
}

Result<ApiResponse> patch_function(Context& context, const ApiRequest& request) {
    auto expected = expected_revision(request);
    if (!expected) return expected.error();
    auto object = parse_object(request.body, request.content_type);
    if (!object) return object.error();
    auto current = context.services.registry.get(request.workspace(), request.function());
    if (!current) return current.error();
    if (auto same = check_revision(*current, *expected); !same) return same.error();

    JsonFields fields(*object);
    json labels(current->labels), spec = spec_to_json(current->spec);
    if (const json* patch = fields.any("labels")) labels.merge_patch(*patch);
    if (const json* patch = fields.any("spec")) {
        // One trigger instead of the list: it takes the list's place.
        if (patch->is_object() && patch->contains("trigger")) spec.erase("triggers");
        spec.merge_patch(*patch);
    }
    const json merged{{"labels", labels}};
    JsonFields merged_fields(merged);
    auto new_labels = merged_fields.text_map("labels");
    auto new_spec = spec_from_json(spec, context.options.spec_limits);
    if (!new_spec) fields.add(new_spec.error());
    if (auto error = merged_fields.finish("The function")) fields.add(*error);
    if (auto error = fields.finish("The change")) return *error;

    if (*new_spec == current->spec) {
        if (*new_labels == current->labels) return function_response(*current, request);
        auto changed =
            context.services.registry.set_labels(current->workspace, current->id, *new_labels, *expected);
        if (!changed) return changed.error();
        return function_response(*changed, request);
    }
    DeployBody body;
    body.spec = std::move(*new_spec);
    body.labels = std::move(new_labels);
    // Without a condition of the caller's own: the merge holds for what was read above only.
    auto deployed = deploy_version(context, *current, std::move(body), std::to_string(current->revision));
    if (!deployed) return deployed.error();
    return deployed_response(*deployed, request, 200);
}

Result<ApiResponse> delete_function(Context& context, const ApiRequest& request) {
    auto expected = expected_revision(request);
    if (!expected) return expected.error();
    auto current = context.services.registry.get(request.workspace(), request.function());
    if (!current) return current.error();
    auto removed = context.services.registry.remove(current->workspace, current->id, *expected);
    if (!removed) return removed.error();
    context.services.logs.forget_function(current->workspace, current->name, current->id);
    ApiResponse response;
    response.status = 204;
    response.audit_target = current->name;
    return response;
}

Result<ApiResponse> rollback_function(Context& context, const ApiRequest& request) {
    auto expected = expected_revision(request);
    if (!expected) return expected.error();
    auto object = parse_object(request.body, request.content_type);
    if (!object) return object.error();
    JsonFields fields(*object);
    const auto target = fields.integer("target_version", 1, 1'000'000'000);
    if (auto error = fields.finish("The request")) return *error;
    auto current = context.services.registry.get(request.workspace(), request.function());
    if (!current) return current.error();
    if (auto same = check_revision(*current, *expected); !same) return same.error();
    auto function = context.services.registry.rollback(
        current->workspace, current->id,
        target ? std::optional<int>(static_cast<int>(*target)) : std::nullopt);
    if (!function) return function.error();
    return function_response(*function, request);
}

}  // namespace hks::api
