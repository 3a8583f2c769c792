// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who answers a request: the management API for its reserved paths, the gateway for everything else, and a
// 404 of the API's for what the gateway does not know. Loop thread.

#include <hks/net/http_server.hpp>

#include <string_view>

namespace hks::gateway {
class Gateway;
}
namespace hks::api {
class ManagementApi;
}

namespace hks::app {

/// Paths that no trigger can have: /api, /healthz, /readyz, /metrics, /openapi.json, /schema.
bool is_management_path(std::string_view path);

class RootHandler final : public net::HttpHandler {
  public:
    RootHandler(gateway::Gateway& gateway, api::ManagementApi& api) : gateway_(gateway), api_(api) {}

    size_t on_head(net::HttpExchange& exchange) override;
    void on_request(net::HttpExchange& exchange) override;

  private:
    gateway::Gateway& gateway_;
    api::ManagementApi& api_;
};

}  // namespace hks::app
