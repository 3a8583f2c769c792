// SPDX-License-Identifier: Apache-2.0
#include "../context.hpp"
#include "../json_fields.hpp"
#include "../objects.hpp"
#include "handlers.hpp"

#include <hks/core/ids.hpp>

#include <nlohmann/json.hpp>

namespace hks::api {

using nlohmann::json;

namespace {

struct SecretBody {
    std::string name;
    std::map<std::string, std::string> data;
};

bool is_secret_key(std::string_view key) {
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    return !key.empty() && key.size() <= 253 && key.find_first_not_of(allowed) == key.npos;
}

/// `path_name`: the name in the path, "" when the body must say it.
Result<SecretBody> read_secret(const ApiRequest& request, const std::string& path_name) {
    auto object = parse_object(request.body, request.content_type);
    if (!object) return object.error();
    SecretBody out;
    JsonFields fields(*object);
    out.name = path_name.empty() ? fields.required_text("name") : fields.text("name").value_or(path_name);
    if (!out.name.empty() && !is_valid_name(out.name))
        fields.wrong("name", "must be lower-case letters, digits and '-' in between, 63 at most");
    if (!path_name.empty() && out.name != path_name) fields.wrong("name", "is another than the path's");
    if (!fields.has("data")) fields.wrong("data", "is required: an object of strings");
    out.data = fields.text_map("data").value_or(std::map<std::string, std::string>{});
    if (fields.has("data") && object->at("data").is_object() && object->at("data").empty())
        fields.wrong("data", "must have at least one key");
    for (const auto& [key, value] : out.data)
        if (!is_secret_key(key))
            fields.wrong("data." + key, "must be a key of letters, digits, '_', '-' and '.'");
    if (auto error = fields.finish("The secret")) return *error;
    return out;
}

const std::string& name_of(const ApiRequest& request) {
    return request.parameters.find("name")->second;
}

ApiResponse secret_response(int status, const secrets::SecretRecord& secret) {
    ApiResponse response = json_response(status, secret_json(secret));
    response.etag = etag_of(secret);
    return response;
}

}  // namespace

Result<ApiResponse> create_secret(Context& context, const ApiRequest& request) {
    auto body = read_secret(request, "");
    if (!body) return body.error();
    auto secret = context.services.secrets.put(request.workspace(), body->name, body->data, false);
    if (!secret) return secret.error();
    ApiResponse response = secret_response(201, *secret);
    response.location = request.path + "/" + secret->name;
    response.audit_target = secret->name;
    return response;
}

Result<ApiResponse> list_secrets(Context& context, const ApiRequest& request) {
    auto page = read_page(request);
    if (!page) return page.error();
    auto all = context.services.secrets.list(request.workspace());
    if (!all) return all.error();
    const auto secrets =
        page_of(std::move(*all), *page, [](const secrets::SecretRecord& secret) { return secret.name; });
    json items = json::array();
    for (const auto& secret : secrets.items) items.push_back(secret_json(secret));
    return json_response(200, list_json(std::move(items), secrets.next_cursor));
}

Result<ApiResponse> get_secret(Context& context, const ApiRequest& request) {
    auto secret = context.services.secrets.get(request.workspace(), name_of(request));
    if (!secret) return secret.error();
    return secret_response(200, *secret);
}

Result<ApiResponse> replace_secret(Context& context, const ApiRequest& request) {
    auto expected = expected_revision(request);
    if (!expected) return expected.error();
    auto body = read_secret(request, name_of(request));
    if (!body) return body.error();
    // This write makes what is not there, unless it is told that something must be.
    if (request.if_match == "*") *expected = "*";
    auto secret =
        context.services.secrets.put(request.workspace(), body->name, body->data, true, *expected);
    if (!secret) return secret.error();
    return secret_response(200, *secret);
}

Result<ApiResponse> delete_secret(Context& context, const ApiRequest& request) {
    auto expected = expected_revision(request);
    if (!expected) return expected.error();
    auto removed = context.services.secrets.remove(request.workspace(), name_of(request), *expected);
    if (!removed) return removed.error();
    ApiResponse response;
    response.status = 204;
    return response;
}

}  // namespace hks::api
