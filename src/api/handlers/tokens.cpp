// SPDX-License-Identifier: Apache-2.0
#include "../context.hpp"
#include "../json_fields.hpp"
#include "../objects.hpp"
#include "handlers.hpp"

#include <hks/core/ids.hpp>
#include <hks/core/units.hpp>

#include <nlohmann/json.hpp>

namespace hks::api {

using nlohmann::json;

namespace {

constexpr auto longest_lifetime = std::chrono::hours(24 * 365 * 10);

struct TokenBody {
    std::string name;
    auth::Role role = auth::Role::none;
    std::vector<std::string> scopes;
    std::optional<milliseconds> lifetime;
};

std::optional<milliseconds> read_lifetime(JsonFields& fields) {
    const json* value = fields.any("expires_in");
    if (!value) return std::nullopt;
    milliseconds lifetime{0};
    if (value->is_number_unsigned()) {
        const uint64_t seconds = value->get<uint64_t>();
        lifetime = std::chrono::seconds(std::min<uint64_t>(seconds, 1ull << 40));
    } else if (value->is_string()) {
        auto parsed = parse_duration(value->get<std::string>());
        if (parsed) lifetime = *parsed;
    }
    if (lifetime <= milliseconds(0) || lifetime > longest_lifetime) {
        fields.wrong("expires_in", "must be a duration such as \"24h\", or seconds, up to ten years");
        return std::nullopt;
    }
    return lifetime;
}

Result<TokenBody> read_token(const ApiRequest& request) {
    auto object = parse_object(request.body, request.content_type);
    if (!object) return object.error();
    TokenBody out;
    JsonFields fields(*object);
    out.name = fields.required_text("name");
    if (!out.name.empty() && !is_valid_name(out.name))
        fields.wrong("name", "must be lower-case letters, digits and '-' in between, 63 at most");
    if (auto role = fields.text("role")) {
        const auto known = auth::role_from_name(*role);
        if (known && *known != auth::Role::none) {
            out.role = *known;
        } else {
            fields.wrong("role", "must be viewer, developer or admin");
        }
    }
    out.scopes = fields.text_list("scopes").value_or(std::vector<std::string>{});
    for (const std::string& scope : out.scopes)
        if (scope != "invoke") fields.wrong("scopes", "may hold \"invoke\" only, not \"" + scope + "\"");
    if (!fields.has("role") && out.scopes.empty())
        fields.wrong("role", "is required unless there are scopes: viewer, developer or admin");
    if (const auto workspace = fields.text("workspace"); workspace && *workspace != request.workspace())
        fields.wrong("workspace", "is another than the path's; make the token below that workspace");
    out.lifetime = read_lifetime(fields);
    if (auto error = fields.finish("The token")) return *error;
    return out;
}

}  // namespace

Result<ApiResponse> create_token(Context& context, const ApiRequest& request) {
    auto body = read_token(request);
    if (!body) return body.error();
    auto made = context.services.keys.create(body->name, body->role, body->scopes, request.workspace(),
                                             body->lifetime);
    if (!made) return made.error();
    ApiResponse response =
        json_response(201, {{"id", made->first.id}, {"name", made->first.name}, {"token", made->second}});
    response.location = request.path + "/" + made->first.id;
    response.audit_target = made->first.name;
    return response;
}

Result<ApiResponse> list_tokens(Context& context, const ApiRequest& request) {
    auto page = read_page(request);
    if (!page) return page.error();
    std::vector<auth::TokenRecord> visible;
    for (auto& token : context.services.keys.list()) {
        // Tokens for all workspaces are shown to those who hold such a one.
        const bool everywhere = token.workspace.empty() && request.principal.workspace.empty();
        if (token.workspace == request.workspace() || everywhere) visible.push_back(std::move(token));
    }
    const auto tokens = page_of(std::move(visible), *page,
                                [](const auth::TokenRecord& token) { return token.name + " " + token.id; });
    json items = json::array();
    for (const auto& token : tokens.items) items.push_back(token_json(token));
    return json_response(200, list_json(std::move(items), tokens.next_cursor));
}

Result<ApiResponse> revoke_token(Context& context, const ApiRequest& request) {
    const std::string& id = request.parameters.find("id")->second;
    auto revoked = context.services.keys.revoke(id, request.workspace());
    if (!revoked && revoked.error().code == Errc::token_not_found && request.principal.workspace.empty())
        revoked = context.services.keys.revoke(id, "");
    if (!revoked) return revoked.error();
    context.recheck_sessions();
    ApiResponse response;
    response.status = 204;
    return response;
}

}  // namespace hks::api
