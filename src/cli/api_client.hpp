// SPDX-License-Identifier: Apache-2.0
#pragma once
// The REST API as the commands use it: JSON in, JSON out, errors with the server's own code and sentence.
// One thread, blocking.

#include <hks/core/error.hpp>
#include <hks/net/http_client.hpp>

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace hks::cli {

using Json = nlohmann::json;
using HeaderList = std::vector<std::pair<std::string, std::string>>;

/// Percent-encodes everything but unreserved characters.
std::string url_encode(std::string_view text);
/// The reverse; "%" that starts no escape stays as it is.
std::string url_decode(std::string_view text);

/// JSON as it is sent; VALIDATION_ERROR that names a text that is not UTF-8.
Result<std::string> json_text(const Json& value);

class ApiClient {
  public:
    ApiClient(std::string server, std::string api_key, std::string workspace);

    const std::string& server() const { return server_; }
    const std::string& workspace() const { return workspace_; }
    /// "/api/v1/workspaces/{ws}" + path
    std::string in_workspace(const std::string& path) const;

    /// The answer's JSON (null when it has no body).
    Result<Json> call(const std::string& method, const std::string& path, const Json& body = nullptr);
    Result<Json> call_raw(const std::string& method, const std::string& path, const std::string& content_type,
                          std::string body);
    /// Every item of a list, page by page.
    Result<Json> all_items(const std::string& path);
    /// Server-sent events: one call of `on_event` each; false ends it. An event "error" is the result's error.
    /// → true when on_event ended it, false when the server did.
    Result<bool> follow(const std::string& path,
                        const std::function<bool(const std::string& event, const Json& data)>& on_event);

  private:
    net::ClientRequest request(const std::string& method, const std::string& path) const;
    Error explain(const net::ClientResponse& response) const;
    Error unreachable(const Error& cause) const;

    std::string server_;
    std::string api_key_;
    std::string workspace_;
};

/// One file or field of a multipart/form-data body.
struct FormPart {
    std::string name, filename, content_type, content;
};
/// → {content type with its boundary, body}
std::pair<std::string, std::string> make_multipart(const std::vector<FormPart>& parts);

}  // namespace hks::cli
