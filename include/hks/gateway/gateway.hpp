// SPDX-License-Identifier: Apache-2.0
#pragma once
// The public door: which function a path means, who may call it, and the way of one call from the connection to the
// dispatcher and back. The hot path of the product. Loop thread. Follows the Catalog.

#include <hks/auth/auth.hpp>
#include <hks/dispatch/dispatcher.hpp>
#include <hks/net/http_server.hpp>
#include <hks/registry/catalog.hpp>

#include <boost/asio/io_context.hpp>

#include <memory>

namespace hks::gateway {

struct GatewayOptions {
    TriggerAuth default_auth = TriggerAuth::public_access;
    size_t max_body = 6 * 1024 * 1024;
    size_t max_response = 32 * 1024 * 1024;   ///< of an answer that is not streamed
};

class Gateway {
  public:
    Gateway(boost::asio::io_context& loop, GatewayOptions options, registry::CatalogWatch& catalog,
            dispatch::Dispatcher& dispatcher, const auth::ApiKeyStore& keys, const Clock& clock,
            telemetry::Logger& logger, telemetry::MetricsRegistry& metrics);
    ~Gateway();
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    void start();   ///< builds the route table, subscribes to the catalog

    /// False when no function can be meant by this path (the caller answers 404 itself). Otherwise the limit for the
    /// body is set, or an error (401, 403, 404, 405) has been answered and `answered` is true.
    bool on_head(net::HttpExchange& exchange, size_t& body_limit, bool& answered);
    void on_request(net::HttpExchange& exchange);

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hks::gateway
