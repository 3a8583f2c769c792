// SPDX-License-Identifier: Apache-2.0
#include "context.hpp"

#include "objects.hpp"

#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

#include <charconv>
#include <vector>

namespace hks::api {

bool Context::offload(std::function<void()> work, std::function<void()> done) {
    return services.pool.submit([this, work = std::move(work), done = std::move(done)]() mutable {
        work();
        boost::asio::post(loop, std::move(done));
    });
}

void Context::recheck_sessions() {
    boost::asio::post(loop, [this] {
        const std::vector<std::shared_ptr<Session>> open(sessions.begin(), sessions.end());
        for (const auto& session : open) session->recheck();
    });
}

std::shared_ptr<const registry::FunctionEntry> Context::find_function(const std::string& workspace,
                                                                      const std::string& name_or_id) const {
    const auto catalog = services.registry.watch().get();
    if (auto entry = catalog->find(workspace, name_or_id)) return entry;
    if (!name_or_id.starts_with("fn_")) return nullptr;
    for (const auto& [key, entry] : catalog->functions)
        if (entry->id == name_or_id && entry->workspace == workspace) return entry;
    return nullptr;
}

ApiResponse json_response(int status, const nlohmann::json& body) {
    ApiResponse response;
    response.status = status;
    response.body = dump(body);
    return response;
}

void send(net::HttpExchange& exchange, const ApiResponse& response) {
    std::string headers = "Cache-Control: no-store\r\n";
    if (!response.body.empty()) headers += "Content-Type: " + response.content_type + "\r\n";
    if (!response.etag.empty()) headers += "ETag: " + response.etag + "\r\n";
    if (!response.location.empty()) headers += "Location: " + response.location + "\r\n";
    exchange.respond(response.status, headers, response.body);
}

void send(net::HttpExchange& exchange, const Error& error, std::string_view extra_headers) {
    std::string headers = "Cache-Control: no-store\r\nContent-Type: application/json\r\n";
    if (error.retry_after.count() > 0)
        headers += "Retry-After: " + std::to_string((error.retry_after.count() + 999) / 1000) + "\r\n";
    if (error.code == Errc::auth_required) headers += "WWW-Authenticate: Bearer realm=\"hks\"\r\n";
    if (error.code == Errc::auth_invalid_token)
        headers += "WWW-Authenticate: Bearer realm=\"hks\", error=\"invalid_token\"\r\n";
    headers += extra_headers;
    exchange.respond(http_status(error.code), headers, to_json_text(error));
}

Error function_not_found(const std::string& name) {
    return {Errc::function_not_found,
            "There is no function '" + name + "' in this workspace. GET functions lists them."};
}

Error version_not_found(const std::string& function, const std::string& version) {
    return {Errc::version_not_found, "The function '" + function + "' has no version '" + version +
                                         "'. GET functions/" + function + "/versions lists them."};
}

Error overloaded() {
    Error error(Errc::overloaded,
                "The server has more management requests than it can take. Try again in a second.");
    error.retry_after = milliseconds(1000);
    return error;
}

int version_number(std::string_view text) {
    int number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failure == std::errc() && end == text.data() + text.size() && number > 0 ? number : 0;
}

Result<registry::Page> read_page(const ApiRequest& request, size_t initial, size_t maximum) {
    registry::Page page;
    page.limit = initial;
    if (const std::string* text = request.find_query("limit")) {
        size_t limit = 0;
        const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), limit);
        if (failure != std::errc() || end != text->data() + text->size() || limit == 0 || limit > maximum) {
            Error error(Errc::validation_error, "The page is not right: limit must be a number from 1 to " +
                                                    std::to_string(maximum) +
                                                    ". Correct it and send it again.");
            error.fields.push_back({"limit", "must be a number from 1 to " + std::to_string(maximum)});
            return error;
        }
        page.limit = limit;
    }
    if (const std::string* cursor = request.find_query("cursor")) page.cursor = *cursor;
    return page;
}

Result<std::string> expected_revision(const ApiRequest& request) {
    const std::string& value = request.if_match;
    if (value.empty() || value == "*") return std::string();
    if (value.size() < 3 || value.front() != '"' || value.back() != '"' ||
        value.find('"', 1) != value.size() - 1)
        return Error(
            Errc::precondition_failed,
            "If-Match must be one ETag as a read gave it, with its quotes. Read the object again.");
    return value.substr(1, value.size() - 2);
}

std::string etag_of(const registry::FunctionRecord& function) {
    return '"' + std::to_string(function.revision) + '"';
}

std::string etag_of(const registry::TriggerEntry& trigger) {
    return '"' + revision_of(trigger) + '"';
}

std::string etag_of(const secrets::SecretRecord& secret) {
    return '"' + std::to_string(secret.revision) + '"';
}

std::optional<FieldError> wrong_follow(const ApiRequest& request) {
    const std::string* follow = request.find_query("follow");
    if (!follow || *follow == "true" || *follow == "false") return std::nullopt;
    return FieldError{"follow", "must be true or false"};
}

}  // namespace hks::api
