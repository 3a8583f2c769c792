// SPDX-License-Identifier: Apache-2.0
#include "api_client.hpp"

#include "printer.hpp"

#include <hks/core/ids.hpp>
#include <hks/core/json_gate.hpp>

#include <cctype>
#include <optional>

namespace hks::cli {

std::string url_encode(std::string_view text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (unsigned char c : text) {
        if (std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
            out += static_cast<char>(c);
        } else {
            out += '%';
            out += digits[c >> 4];
            out += digits[c & 15];
        }
    }
    return out;
}

std::string url_decode(std::string_view text) {
    auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; };
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        bool escape = text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
        out += escape ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
        if (escape) i += 2;
    }
    return out;
}

namespace {

/// The path of a text that is not UTF-8, which JSON cannot carry; "" when there is none.
std::string broken_text(const Json& value, const std::string& path) {
    if (value.is_string()) return is_utf8(value.get_ref<const std::string&>()) ? "" : path;
    if (value.is_array()) {
        for (size_t i = 0; i < value.size(); ++i)
            if (std::string found = broken_text(value[i], path + "[" + std::to_string(i) + "]"); !found.empty())
                return found;
    }
    if (value.is_object()) {
        for (const auto& [key, member] : value.items()) {
            if (!is_utf8(key)) return path.empty() ? "a key" : "a key of " + path;
            std::string found = broken_text(member, path.empty() ? key : path + "." + key);
            if (!found.empty()) return found;
        }
    }
    return "";
}

/// An error object of the API; nothing when `json` is none.
std::optional<Error> error_from(const Json& json) {
    if (!json.is_object() || !json.contains("error") || !json["error"].is_string()) return std::nullopt;
    Error error(code_from_name(text(json, "code")), json["error"].get<std::string>());
    error.details.emplace_back("code", text(json, "code"));
    const Json& details = json.contains("details") ? json["details"] : Json();
    if (details.is_object() && details.contains("fields") && details["fields"].is_array()) {
        for (const auto& field : details["fields"])
            error.fields.push_back({field.value("field", ""), field.value("message", ""), field.value("line", 0)});
    }
    return error;
}

}  // namespace

Result<std::string> json_text(const Json& value) {
    try {
        return value.dump();
    } catch (const Json::exception&) {
        return Error(Errc::validation_error, "Not UTF-8 text: " + broken_text(value, "") +
                                                 ". Write it in UTF-8, or encode it, for example with base64.");
    }
}

ApiClient::ApiClient(std::string server, std::string api_key, std::string workspace)
    : server_(std::move(server)), api_key_(std::move(api_key)), workspace_(std::move(workspace)) {
    while (server_.ends_with('/')) server_.pop_back();
}

std::string ApiClient::in_workspace(const std::string& path) const {
    return "/api/v1/workspaces/" + url_encode(workspace_) + path;
}

net::ClientRequest ApiClient::request(const std::string& method, const std::string& path) const {
    net::ClientRequest request;
    request.method = method;
    request.url = server_ + path;
    if (!api_key_.empty()) request.headers.emplace_back("Authorization", "Bearer " + api_key_);
    return request;
}

Error ApiClient::unreachable(const Error& cause) const {
    if (cause.code != Errc::unavailable) return cause;
    for (const auto& [key, value] : cause.details)
        if (key == "connected") return cause;
    return Error(Errc::unavailable, "No server answers at " + server_ + " (" + cause.message +
                                        "). Start one with 'hks server', or name another with --server URL.");
}

Error ApiClient::explain(const net::ClientResponse& response) const {
    auto json = parse_json(response.body);
    std::optional<Error> named = json ? error_from(*json) : std::nullopt;
    Error error = named ? std::move(*named)
                        : Error(Errc::provider_error, "The server answered with status " +
                                                          std::to_string(response.status) + ".");
    if (response.status == 401 && api_key_.empty())
        error.message += " Give a key with --api-key, HKS_API_KEY or 'hks config set api-key'.";
    return error;
}

Result<Json> ApiClient::call(const std::string& method, const std::string& path, const Json& body) {
    if (body.is_null()) return call_raw(method, path, "", "");
    auto text = json_text(body);
    if (!text) return text.error();
    return call_raw(method, path, "application/json", std::move(*text));
}

Result<Json> ApiClient::all_items(const std::string& path) {
    Json items = Json::array();
    std::string cursor;
    do {
        std::string page = path + "?limit=100" + (cursor.empty() ? "" : "&cursor=" + url_encode(cursor));
        auto answer = call("GET", page);
        if (!answer) return answer.error();
        if (!answer->is_object() || !(*answer)["items"].is_array())
            return Error(Errc::provider_error, "What answers at " + server_ + " is not a hks server.");
        for (auto& item : (*answer)["items"]) items.push_back(std::move(item));
        cursor = text(*answer, "next_cursor");
    } while (!cursor.empty());
    return items;
}

Result<Json> ApiClient::call_raw(const std::string& method, const std::string& path, const std::string& content_type,
                                 std::string body) {
    net::ClientRequest request = this->request(method, path);
    if (!content_type.empty()) request.headers.emplace_back("Content-Type", content_type);
    request.body = std::move(body);
    auto response = net::http_request(request);
    if (!response) return unreachable(response.error());
    if (response->status >= 300) return explain(*response);
    if (response->body.empty()) return Json();
    auto json = parse_json(response->body);
    if (!json) return Error(Errc::provider_error, "What answers at " + server_ + " is not a hks server.");
    return std::move(*json);
}

Result<bool> ApiClient::follow(const std::string& path,
                               const std::function<bool(const std::string&, const Json&)>& on_event) {
    std::string pending, event, data;
    std::optional<Error> failure;
    bool go_on = true;
    auto take_event = [&] {
        auto json = data.empty() ? Result<Json>(Json()) : parse_json(data);
        if (event == "error" && json) failure = error_from(*json);
        go_on = !failure && ((data.empty() && event.empty()) || on_event(event, json ? *json : Json(data)));
        event.clear();
        data.clear();
    };
    auto take_line = [&](std::string_view line) {
        if (line.empty()) take_event();
        if (line.starts_with("data:")) data += line.substr(line.starts_with("data: ") ? 6 : 5);
        if (line.starts_with("event:")) event = line.substr(line.starts_with("event: ") ? 7 : 6);
    };
    auto take_piece = [&](std::string_view piece) {
        pending += piece;
        size_t begin = 0;
        for (size_t end; go_on && (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1) {
            std::string_view line(pending.data() + begin, end - begin);
            if (line.ends_with('\r')) line.remove_suffix(1);
            take_line(line);
        }
        pending.erase(0, begin);
        return go_on;
    };
    net::ClientRequest request = this->request("GET", path);
    request.headers.emplace_back("Accept", "text/event-stream");
    auto response = net::http_stream(request, take_piece);
    if (failure) return *failure;
    if (!response) return unreachable(response.error());
    if (response->status >= 300) return explain(*response);
    return !go_on;
}

std::pair<std::string, std::string> make_multipart(const std::vector<FormPart>& parts) {
    std::string boundary = make_id("hks-");
    std::string body;
    for (const FormPart& part : parts) {
        body += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + part.name + "\"";
        if (!part.filename.empty()) body += "; filename=\"" + part.filename + "\"";
        body += "\r\n";
        if (!part.content_type.empty()) body += "Content-Type: " + part.content_type + "\r\n";
        body += "\r\n" + part.content + "\r\n";
    }
    body += "--" + boundary + "--\r\n";
    return {"multipart/form-data; boundary=" + boundary, std::move(body)};
}

}  // namespace hks::cli
