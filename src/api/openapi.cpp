// SPDX-License-Identifier: Apache-2.0
#include "objects.hpp"
#include "route_table.hpp"
#include "schemas.hpp"

#include <hks/api/management_api.hpp>
#include <hks/core/build_info.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hks::api {
namespace {

using nlohmann::json;

json schema_reference(std::string_view name) {
    return {{"$ref", "#/components/schemas/" + std::string(name)}};
}

json parameter(std::string_view name, const char* in, bool required) {
    const ParameterDoc doc = parameter_doc(name);
    return {{"name", name},
            {"in", in},
            {"required", required},
            {"description", doc.description},
            {"schema", json::parse(doc.schema.empty() ? "{}" : doc.schema)}};
}

json header_parameter(const char* name, const char* description) {
    return {{"name", name},
            {"in", "header"},
            {"required", false},
            {"description", description},
            {"schema", {{"type", "string"}}}};
}

json parameters_of(const Route& route) {
    json out = json::array();
    for (size_t open = route.pattern.find('{'); open != route.pattern.npos;
         open = route.pattern.find('{', open + 1)) {
        const size_t close = route.pattern.find('}', open);
        out.push_back(parameter(route.pattern.substr(open + 1, close - open - 1), "path", true));
    }
    for (std::string_view rest = route.query; !rest.empty();) {
        const size_t end = std::min(rest.find(' '), rest.size());
        out.push_back(parameter(rest.substr(0, end), "query", false));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (route.if_match)
        out.push_back(header_parameter("If-Match", "The ETag that a read gave; 412 when it changed"));
    if (route.audited)
        out.push_back(header_parameter("Idempotency-Key", "The same key gives the same answer for 24 hours"));
    return out;
}

json request_body(const Route& route) {
    json content{{"application/json", {{"schema", schema_reference(route.request)}}}};
    if (route.body == BodyKind::package)
        content["multipart/form-data"] = {{"schema", schema_reference("DeployForm")}};
    if (route.method == "PATCH") content["application/merge-patch+json"] = content["application/json"];
    return {{"required", route.id != "function.rollback" && route.id != "function.invoke"},
            {"content", std::move(content)}};
}

json success_of(const Route& route) {
    json out{{"description", route.status == 204 ? "Done" : route.summary}};
    if (!route.response.empty())
        out["content"][std::string(route.media_type)]["schema"] = schema_reference(route.response);
    if (route.response.empty() && route.status != 204)
        out["content"][std::string(route.media_type)]["schema"] = {{"type", "string"}};
    if (route.stream && route.handler) out["content"]["text/event-stream"]["schema"] = {{"type", "string"}};
    if (route.id == "schema.function") {
        out["content"]["application/schema+json"] = out["content"]["application/json"];
        out["content"].erase("application/json");
    }
    if (route.etag) out["headers"]["ETag"]["schema"]["type"] = "string";
    if (route.status == 201) out["headers"]["Location"]["schema"]["type"] = "string";
    return out;
}

json responses_of(const Route& route) {
    json out{{std::to_string(route.status), success_of(route)}};
    const auto error = [&](int status) {
        out[std::to_string(status)] = {{"$ref", "#/components/responses/Error"}};
    };
    if (!route.open)
        for (const int status : {401, 403}) error(status);
    if (!route.open) error(400);
    if (route.pattern.find('{') != route.pattern.npos) error(404);
    if (route.audited)
        for (const int status : {409, 507}) error(status);
    if (route.if_match) error(412);
    if (route.body != BodyKind::none) error(413);
    if (route.kind == Kind::blocking) error(503);
    if (route.id == "function.invoke")
        for (const int status : {429, 502, 503, 504}) error(status);
    if (route.id == "readyz") {
        out["503"] = success_of(route);
        out["503"]["description"] = "The server is stopping";
    }
    out["default"] = {{"$ref", "#/components/responses/Error"}};
    return out;
}

json operation_of(const Route& route) {
    json out{{"operationId", route.id},
             {"summary", route.summary},
             {"tags", {route.tag}},
             {"responses", responses_of(route)}};
    if (auto parameters = parameters_of(route); !parameters.empty())
        out["parameters"] = std::move(parameters);
    if (route.body != BodyKind::none) out["requestBody"] = request_body(route);
    if (route.open) out["security"] = json::array();
    return out;
}

std::string lower(std::string_view method) {
    std::string out(method);
    for (char& c : out) c = static_cast<char>(c - 'A' + 'a');
    return out;
}

/// Where the manifest's schema is embedded, its own references begin there.
void move_references(json& value, const std::string& root) {
    if (value.is_object() && value.contains("$ref") && value["$ref"].is_string()) {
        auto& target = value["$ref"].get_ref<std::string&>();
        if (target.starts_with("#/") && !target.starts_with("#/components/"))
            target = root + target.substr(1);
    }
    if (value.is_object() || value.is_array())
        for (json& member : value) move_references(member, root);
}

std::string make_document() {
    json paths = json::object();
    for (const Route& route : routes())
        paths[std::string(route.pattern)][lower(route.method)] = operation_of(route);
    json schemas = component_schemas();
    move_references(schemas["Manifest"], "#/components/schemas/Manifest");
    schemas["Manifest"].erase("$id");
    json error{{"description", "What went wrong and what to do"},
               {"content", {{"application/json", {{"schema", schema_reference("Error")}}}}}};
    return dump({{"openapi", "3.1.0"},
                 {"info",
                  {{"title", "hks"},
                   {"version", build_version()},
                   {"description", "Functions without servers: the management API of one hks server."},
                   {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
                 {"servers", {{{"url", "/"}}}},
                 {"security", {{{"token", json::array()}}}},
                 {"paths", std::move(paths)},
                 {"components",
                  {{"schemas", std::move(schemas)},
                   {"responses", {{"Error", std::move(error)}}},
                   {"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}}});
}

}  // namespace

std::string openapi_text() {
    static const std::string document = make_document();
    return document;
}

}  // namespace hks::api
