// SPDX-License-Identifier: Apache-2.0
#include "root_handler.hpp"

#include <hks/api/management_api.hpp>
#include <hks/gateway/gateway.hpp>

namespace hks::app {

bool is_management_path(std::string_view path) {
    const auto is = [path](std::string_view name) {
        return path.starts_with(name) && (path.size() == name.size() || path[name.size()] == '/');
    };
    // The first letter decides for nearly every call of a function.
    switch (path.size() > 1 ? path[1] : '\0') {
        case 'a':
            return is("/api");
        case 'h':
            return is("/healthz");
        case 'r':
            return is("/readyz");
        case 'm':
            return is("/metrics");
        case 'o':
            return is("/openapi.json");
        case 's':
            return is("/schema");
        default:
            return false;
    }
}

size_t RootHandler::on_head(net::HttpExchange& exchange) {
    if (!is_management_path(exchange.request().path)) {
        size_t limit = 0;
        bool answered = false;
        if (gateway_.on_head(exchange, limit, answered)) return answered ? 0 : limit;
    }
    return api_.on_head(exchange);
}

void RootHandler::on_request(net::HttpExchange& exchange) {
    if (is_management_path(exchange.request().path)) {
        api_.on_request(exchange);
    } else {
        gateway_.on_request(exchange);
    }
}

}  // namespace hks::app
