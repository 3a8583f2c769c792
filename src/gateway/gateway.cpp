// SPDX-License-Identifier: Apache-2.0
#include <hks/gateway/gateway.hpp>

#include "gateway_call.hpp"
#include "route_table.hpp"

#include <hks/core/json_text.hpp>
#include <hks/dispatch/loop_follower.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <optional>
#include <typeinfo>

namespace hks::gateway {
namespace {

std::string authorizer_of(const auth::Principal& principal) {
    std::string json = "{\"principalId\":";
    append_json_string(json, principal.token_id);
    json += ",\"name\":";
    append_json_string(json, principal.name);
    json += ",\"role\":";
    append_json_string(json, auth::role_name(principal.role));
    json += '}';
    return json;
}

}  // namespace

class Gateway::Impl {
  public:
    Impl(boost::asio::io_context& loop, GatewayOptions options, registry::CatalogWatch& catalog,
         dispatch::Dispatcher& dispatcher, const auth::ApiKeyStore& keys, telemetry::Logger& logger,
         telemetry::MetricsRegistry& metrics)
        : loop_(loop),
          catalog_(catalog),
          door_{options, dispatcher, keys, logger},
          refused_(metrics.counter("hks_gateway_refused_total",
                                   "Requests for functions that were refused before a function was called.")),
          table_(std::make_unique<RouteTable>(registry::Catalog{}, options.default_auth, nullptr)) {}

    void start() {
        follower_.emplace(loop_, catalog_, [this] { rebuild(); });
        rebuild();
    }

    bool on_head(net::HttpExchange& exchange, size_t& body_limit, bool& answered);
    void on_request(net::HttpExchange& exchange) {
        static_cast<GatewayCall&>(*exchange.state).begin(exchange);
    }

  private:
    void rebuild() {
        table_ = std::make_unique<RouteTable>(*catalog_.get(), door_.options.default_auth, table_.get());
    }

    GatewayCall& call_of(net::HttpExchange& exchange) {
        net::HttpExchange::State* state = exchange.state.get();
        if (!state || typeid(*state) != typeid(GatewayCall)) {
            exchange.state = std::make_unique<GatewayCall>(door_);
            state = exchange.state.get();
        }
        return static_cast<GatewayCall&>(*state);
    }

    std::optional<Error> admit(const net::HttpRequest& request, GatewayCall& call);
    std::optional<Error> choose_pool(GatewayCall& call);
    bool refuse(net::HttpExchange& exchange, const Error& error, std::string headers = {});

    boost::asio::io_context& loop_;
    registry::CatalogWatch& catalog_;
    Door door_;
    telemetry::Counter& refused_;
    std::unique_ptr<RouteTable> table_;
    std::optional<dispatch::LoopFollower<registry::Catalog>> follower_;
};

bool Gateway::Impl::refuse(net::HttpExchange& exchange, const Error& error, std::string headers) {
    refused_.add();
    answer_error(exchange, error, std::move(headers));
    return true;
}

bool Gateway::Impl::on_head(net::HttpExchange& exchange, size_t& body_limit, bool& answered) {
    const net::HttpRequest& request = exchange.request();
    GatewayCall& call = call_of(exchange);
    switch (table_->find(request.path, method_bit(request.method), call.match)) {
        case Lookup::nothing:
            return false;
        case Lookup::unknown_function:
            answered = true;
            return refuse(exchange,
                          Error(Errc::function_not_found,
                                "There is no function that can be called at this path. Check the name, and "
                                "that it has an enabled http trigger."));
        case Lookup::unknown_version:
            answered = true;
            return refuse(exchange,
                          Error(Errc::version_not_found,
                                "What follows '@' is no version of this function. Use a number: name@3."));
        case Lookup::wrong_method: {
            answered = true;
            const std::string allow = allow_text(call.match.allowed);
            return refuse(exchange,
                          Error(Errc::method_not_allowed,
                                "This path does not take " + std::string(request.method) + ". It takes " +
                                    allow + "."),
                          "Allow: " + allow + "\r\n");
        }
        case Lookup::found:
            break;
    }
    std::optional<Error> error = admit(request, call);
    if (!error) error = choose_pool(call);
    if (error) {
        answered = true;
        const bool challenge = http_status(error->code) == 401;
        return refuse(exchange, *error, challenge ? "WWW-Authenticate: Bearer\r\n" : "");
    }
    body_limit = door_.options.max_body;
    return true;
}

std::optional<Error> Gateway::Impl::admit(const net::HttpRequest& request, GatewayCall& call) {
    if (!call.authorizer.empty()) call.authorizer.clear();
    if (!call.match.target->needs_token) return std::nullopt;
    const auto principal = door_.keys.authenticate(request.header("authorization"));
    if (!principal) return principal.error();
    if (!auth::allowed(*principal, auth::Action::invoke, call.match.routes->function->workspace))
        return Error(Errc::permission_denied, "This token may not call functions of this workspace.");
    call.authorizer = authorizer_of(*principal);
    return std::nullopt;
}

std::optional<Error> Gateway::Impl::choose_pool(GatewayCall& call) {
    const FunctionRoutes& routes = *call.match.routes;
    if (call.match.version == 0) [[likely]] {
        if (call.numbered_pool) call.numbered_pool.reset();
        if (routes.pool) [[likely]]
            return std::nullopt;
        if (!routes.function->active)
            return Error(Errc::function_not_found,
                         "Function '" + routes.function->name +
                             "' has no version that is ready. Wait for its build to succeed.");
        routes.pool = door_.dispatcher.pool(routes.function->active);
        return std::nullopt;
    }
    const auto version = routes.function->versions.find(call.match.version);
    if (version == routes.function->versions.end())
        return Error(Errc::version_not_found, "Function '" + routes.function->name +
                                                  "' has no built version " +
                                                  std::to_string(call.match.version) + ".");
    call.numbered_pool = door_.dispatcher.pool(version->second);
    call.numbered_line = "X-Hks-Version: " + std::to_string(call.match.version) + "\r\n";
    return std::nullopt;
}

Gateway::Gateway(boost::asio::io_context& loop, GatewayOptions options, registry::CatalogWatch& catalog,
                 dispatch::Dispatcher& dispatcher, const auth::ApiKeyStore& keys, const Clock& /*clock*/,
                 telemetry::Logger& logger, telemetry::MetricsRegistry& metrics)
    : impl_(std::make_unique<Impl>(loop, options, catalog, dispatcher, keys, logger, metrics)) {}

Gateway::~Gateway() = default;

void Gateway::start() {
    impl_->start();
}

bool Gateway::on_head(net::HttpExchange& exchange, size_t& body_limit, bool& answered) {
    return impl_->on_head(exchange, body_limit, answered);
}

void Gateway::on_request(net::HttpExchange& exchange) {
    impl_->on_request(exchange);
}

}  // namespace hks::gateway
