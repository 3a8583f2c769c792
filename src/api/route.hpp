// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a management route is: a row of the one table (route_table.cpp) from which the router, the checks
// before a handler and /openapi.json are made. Handlers get an ApiRequest whose views live until the answer
// has been given.

#include <hks/auth/auth.hpp>
#include <hks/core/error.hpp>
#include <hks/net/http_server.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace hks::api {

struct Context;
struct Route;

struct ApiRequest {
    const Route* route = nullptr;
    std::map<std::string, std::string, std::less<>>
        parameters;                                         ///< of the path: "ws" "f" "v" "t" "name" "id"
    std::map<std::string, std::string, std::less<>> query;  ///< decoded; only names the route knows
    auth::Principal principal;                              ///< empty token_id: nobody
    std::string_view body;
    std::string_view content_type;
    std::string if_match;
    std::string idempotency_key;
    std::string last_event_id;
    std::string path;
    std::string remote_address;
    std::string base_url;  ///< "http://host:port" as the caller sees us

    const std::string& workspace() const { return parameters.find("ws")->second; }
    const std::string& function() const { return parameters.find("f")->second; }
    const std::string* find_query(std::string_view name) const {
        const auto it = query.find(name);
        return it == query.end() ? nullptr : &it->second;
    }
};

struct ApiResponse {
    int status = 200;
    std::string body;  ///< "" = no body, no Content-Type
    std::string content_type = "application/json";
    std::string etag;          ///< with its quotes; "" = none
    std::string location;      ///< "" = none
    std::string audit_target;  ///< "" = the path's own
};

/// Where a handler runs.
enum class Kind : uint8_t {
    blocking,  ///< on the BlockingPool
    loop,      ///< on the loop; must not block
    stream,    ///< on the loop; takes the exchange and answers whenever it wants
};

/// package: JSON or multipart, up to max_package; call: JSON with a function's request in it.
enum class BodyKind : uint8_t { none, json, package, call };

using Handler = Result<ApiResponse> (*)(Context&, const ApiRequest&);
using StreamHandler = void (*)(Context&, net::HttpExchange&, const ApiRequest&);

struct Route {
    std::string_view method;
    std::string_view pattern;  ///< "/api/v1/workspaces/{ws}/functions"
    std::string_view id;       ///< "function.create": operation id and audit action
    std::string_view tag;
    std::string_view summary;
    Kind kind = Kind::blocking;
    Handler handler = nullptr;
    StreamHandler stream = nullptr;  ///< with a handler too: taken for ?follow=true
    bool open = false;               ///< no token needed
    auth::Action action = auth::Action::read;
    BodyKind body = BodyKind::none;
    std::string_view request;                          ///< schema of the body
    std::string_view response;                         ///< schema of a success; "" = none
    int status = 200;                                  ///< of a success
    std::string_view query;                            ///< names of query parameters: "limit cursor"
    bool if_match = false;                             ///< reads If-Match
    bool etag = false;                                 ///< gives an ETag
    bool secret_answer = false;                        ///< the answer is never stored for Idempotency-Key
    bool audited = false;                              ///< a write
    std::string_view media_type = "application/json";  ///< of a success
};

}  // namespace hks::api
