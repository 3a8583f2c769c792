// SPDX-License-Identifier: Apache-2.0
#pragma once
// One call from a connection: the Call that the dispatcher sees, and the answer's way back. Kept with the
// connection and used again for each of its requests, so that a request allocates nothing. Loop thread.

#include "route_table.hpp"

#include <hks/auth/auth.hpp>
#include <hks/dispatch/dispatcher.hpp>
#include <hks/gateway/gateway.hpp>
#include <hks/net/http_server.hpp>

namespace hks::gateway {

/// What all calls share.
struct Door {
    GatewayOptions options;
    dispatch::Dispatcher& dispatcher;
    const auth::ApiKeyStore& keys;
    telemetry::Logger& logger;
};

/// Answers with the project's error JSON. `headers`: further lines.
void answer_error(net::HttpExchange& exchange, const Error& error, std::string headers = {});

class GatewayCall final : public net::HttpExchange::State, public Call {
  public:
    explicit GatewayCall(const Door& door) : door_(door) {}
    ~GatewayCall() override;

    /// Filled in by the gateway when the head is there.
    Match match;
    std::shared_ptr<dispatch::VersionPool> numbered_pool;  ///< of name@3; null = the active version's
    std::string numbered_line;                             ///< its X-Hks-Version
    std::string authorizer;                                ///< JSON of whoever called

    /// The body is there too: off it goes.
    void begin(net::HttpExchange& exchange);

    void on_response(int status, std::string_view headers, std::string_view body, bool end) override;
    void on_chunk(std::string_view body, bool end) override;
    void on_failed(const CallFailure& failure) override;

  private:
    void fill_request(const net::HttpRequest& from);
    void write_part(std::string_view body);
    void nonsense(std::string_view why, bool end);
    void give_up();
    std::string_view version_line() const;
    const std::string& function_name() const { return match.routes->function->name; }

    const Door& door_;
    net::HttpExchange* exchange_ = nullptr;
    bool inside_ = false;    ///< with the dispatcher
    size_t uncredited_ = 0;  ///< bytes of a stream that the client has not taken yet
    std::string head_;
    std::vector<Header> headers_, parameters_;
};

}  // namespace hks::gateway
