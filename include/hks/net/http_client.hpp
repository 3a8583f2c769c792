// SPDX-License-Identifier: Apache-2.0
#pragma once
// A blocking HTTP/1.1 client on Beast for the command line and tools: one request, a whole answer or a stream of it.
// One thread at a time. Errors: Errc::unavailable when the server cannot be reached or, with the detail "connected",
// ends the connection before its answer is complete; provider_error for nonsense.

#include <hks/core/error.hpp>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace hks::net {

struct Url {
    std::string scheme;  ///< "http" | "https"
    std::string host;
    uint16_t port = 0;
    std::string target;  ///< path and query, at least "/"
    static Result<Url> parse(const std::string& text);
};

struct ClientRequest {
    std::string method = "GET";
    std::string url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds timeout{0};  ///< silence allowed while reading; 0 = none
};

struct ClientResponse {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;  ///< names lower case
    std::string body;
    std::string header(const std::string& name) const;
};

/// Takes pieces of a body as they come; false ends the request.
using BodyReader = std::function<bool(std::string_view piece)>;

Result<ClientResponse> http_request(const ClientRequest& request);
/// Hands a 2xx body to `reader` piece by piece; any other answer is returned whole in body.
Result<ClientResponse> http_stream(const ClientRequest& request, const BodyReader& reader);

}  // namespace hks::net
