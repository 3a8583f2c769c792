// SPDX-License-Identifier: Apache-2.0
#include "../objects.hpp"
#include "deploy.hpp"
#include "handlers.hpp"

#include <hks/storage/artifact_store.hpp>

#include <nlohmann/json.hpp>

namespace hks::api {

using nlohmann::json;

namespace {

Result<registry::VersionRecord> find_version(Context& context, const ApiRequest& request) {
    const std::string& text = request.parameters.find("v")->second;
    const int number = version_number(text);
    if (number == 0) {
        auto function = context.services.registry.get(request.workspace(), request.function());
        if (!function) return function.error();
        return version_not_found(function->name, text);
    }
    return context.services.registry.version(request.workspace(), request.function(), number);
}

}  // namespace

Result<ApiResponse> add_version(Context& context, const ApiRequest& request) {
    auto expected = expected_revision(request);
    if (!expected) return expected.error();
    auto current = context.services.registry.get(request.workspace(), request.function());
    if (!current) return current.error();
    auto body =
        read_deploy_body(request.content_type, request.body, current->spec, context.options.spec_limits);
    if (!body) return body.error();
    if (auto same = check_target(*body, *current); !same) return same.error();
    if (const std::string* activate = request.find_query("activate")) {
        if (*activate != "true" && *activate != "false") {
            Error error(Errc::validation_error, "The query is not right: activate must be true or false.");
            error.fields.push_back({"activate", "must be true or false"});
            return error;
        }
        body->traffic = body->traffic && *activate == "true";
    }
    auto deployed = deploy_version(context, *current, std::move(*body), *expected);
    if (!deployed) return deployed.error();
    json out = version_json(deployed->version);
    out["notes"] = deployed->notes;
    ApiResponse response = json_response(201, out);
    response.location = request.path + "/" + std::to_string(deployed->version.number);
    response.audit_target = current->name + "/" + std::to_string(deployed->version.number);
    return response;
}

Result<ApiResponse> list_versions(Context& context, const ApiRequest& request) {
    auto page = read_page(request);
    if (!page) return page.error();
    auto versions = context.services.registry.versions(request.workspace(), request.function(), *page);
    if (!versions) return versions.error();
    json items = json::array();
    for (const auto& version : versions->items) items.push_back(version_json(version));
    return json_response(200, list_json(std::move(items), versions->next_cursor));
}

Result<ApiResponse> get_version(Context& context, const ApiRequest& request) {
    auto version = find_version(context, request);
    if (!version) return version.error();
    if (auto full = context.services.builds.unwritten(version->key)) return *full;
    ApiResponse response = json_response(200, version_json(*version));
    response.etag = '"' + storage::sha256_hex(response.body).substr(0, 16) + '"';
    return response;
}

Result<ApiResponse> activate_version(Context& context, const ApiRequest& request) {
    auto expected = expected_revision(request);
    if (!expected) return expected.error();
    auto version = find_version(context, request);
    if (!version) return version.error();
    auto function = context.services.registry.activate(request.workspace(), request.function(),
                                                       version->number, *expected);
    if (!function) return function.error();
    ApiResponse response = json_response(200, function_json(*function, request.base_url));
    response.etag = etag_of(*function);
    return response;
}

Result<ApiResponse> get_build_log(Context& context, const ApiRequest& request) {
    auto page = read_page(request, 1000, 1000);
    if (const auto wrong = wrong_follow(request)) {
        Error error = page ? Error(Errc::validation_error, "The query is not right. Correct the fields named "
                                                           "in details.")
                           : page.error();
        error.fields.push_back(*wrong);
        return error;
    }
    if (!page) return page.error();
    auto version = find_version(context, request);
    if (!version) return version.error();
    // The cursor is the number of lines already read.
    const int64_t after = page->cursor.empty() ? -1 : version_number(page->cursor) - 1;
    bool finished = false;
    auto lines = context.services.builds.log(version->key, after, finished);
    if (!lines) return lines.error();
    json items = json::array();
    std::optional<std::string> next;
    for (const auto& line : *lines) {
        if (items.size() == page->limit) {
            next = std::to_string(line.index);
            break;
        }
        items.push_back(build_log_json(line));
    }
    json out = list_json(std::move(items), next);
    out["finished"] = finished;
    return json_response(200, out);
}

}  // namespace hks::api
