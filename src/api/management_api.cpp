// SPDX-License-Identifier: Apache-2.0
#include "context.hpp"
#include "route_table.hpp"
#include "router.hpp"
#include "write_guard.hpp"

#include <hks/api/management_api.hpp>
#include <hks/auth/auth.hpp>

#include <boost/asio/post.hpp>

#include <vector>

namespace hks::api {

class ManagementApi::Impl : public std::enable_shared_from_this<ManagementApi::Impl> {
  public:
    Impl(boost::asio::io_context& loop, ApiOptions options, const ApiServices& services)
        : context_{loop, std::move(options), services, {}, false}, writes_(context_) {}

    Context& context() { return context_; }

    size_t on_head(net::HttpExchange& exchange) {
        ApiRequest request;
        std::string headers;
        if (auto error = admit(exchange.request(), request, headers)) {
            if (request.route && request.route->audited) writes_.refused(request, *error);
            send(exchange, *error, headers);
            return 0;
        }
        return body_limit(*request.route);
    }

    void on_request(net::HttpExchange& exchange) {
        ApiRequest request;
        std::string headers;
        // The token may have been revoked while the body came.
        auto error = admit(exchange.request(), request, headers);
        if (!error) error = read(exchange.request(), request);
        if (error) {
            if (request.route && request.route->audited) writes_.refused(request, *error);
            send(exchange, *error, headers);
            return;
        }
        dispatch(exchange, std::move(request));
    }

    void stop() {
        const std::vector<std::shared_ptr<Session>> open(context_.sessions.begin(), context_.sessions.end());
        for (const auto& session : open) session->stop();
    }

  private:
    /// Route, token, permission; fills in what an audit row needs. `headers`: further lines of a refusal.
    std::optional<Error> admit(const net::HttpRequest& http, ApiRequest& request, std::string& headers) {
        RouteMatch match = find_route(routes(), http.method, http.path);
        if (!match.route) {
            if (match.allow.empty()) return no_such_route(http.method, http.path);
            headers = "Allow: " + match.allow + "\r\n";
            return Error(Errc::method_not_allowed, std::string(http.path) + " does not take " +
                                                       std::string(http.method) + ". It takes " +
                                                       match.allow + ".");
        }
        request.route = match.route;
        request.parameters = std::move(match.parameters);
        request.remote_address = http.remote_address;
        request.path = http.path;
        const bool open =
            match.route->open || (match.route->id == "metrics" && context_.options.metrics_public);
        if (open) return std::nullopt;
        return authorize(http, request);
    }

    std::optional<Error> authorize(const net::HttpRequest& http, ApiRequest& request) {
        auto principal = context_.services.keys.authenticate(http.header("authorization"));
        if (!principal) return principal.error();
        request.principal = std::move(*principal);
        const auto& own = request.principal.workspace;
        const auto it = request.parameters.find("ws");
        if (it == request.parameters.end()) {
            if (auth::allowed(request.principal, request.route->action, own)) return std::nullopt;
        } else {
            const std::string& workspace = it->second;
            // Foreign or absent: the caller cannot tell which.
            if ((!own.empty() && own != workspace) || workspace != "default")
                return Error(Errc::not_found,
                             "There is no workspace '" + workspace +
                                 "' for this token. GET /api/v1/workspaces lists those there are.");
            if (auth::allowed(request.principal, request.route->action, workspace)) return std::nullopt;
        }
        return Error(Errc::permission_denied,
                     "The token '" + request.principal.name +
                         "' may not do this. Ask an administrator for a token with another "
                         "role.");
    }

    std::optional<Error> read(const net::HttpRequest& http, ApiRequest& request) {
        auto query = read_query(http.query, request.route->query);
        if (!query) return query.error();
        request.query = std::move(*query);
        request.body = http.body;
        request.content_type = http.header("content-type");
        request.if_match = http.header("if-match");
        // A condition that nobody looks at would be a write that nobody asked for.
        if (!request.if_match.empty() && request.route->audited && !request.route->if_match)
            return Error(Errc::precondition_failed,
                         "Nothing that this request changes has an ETag for If-Match. Leave If-Match out.");
        request.idempotency_key = http.header("idempotency-key");
        request.last_event_id = http.header("last-event-id");
        request.base_url =
            std::string(context_.options.secure ? "https://" : "http://") + std::string(http.host);
        return std::nullopt;
    }

    size_t body_limit(const Route& route) const {
        switch (route.body) {
            case BodyKind::package:
                return context_.options.max_package;
            case BodyKind::call:
                return context_.options.max_call / 3 * 4 + 64 * 1024;
            case BodyKind::json:
                return context_.options.max_body;
            case BodyKind::none:
                break;
        }
        return context_.options.max_body;
    }

    void dispatch(net::HttpExchange& exchange, ApiRequest request) {
        const Route& route = *request.route;
        const std::string* follow = request.find_query("follow");
        if (route.kind == Kind::stream || (route.stream && follow && *follow == "true"))
            return route.stream(context_, exchange, request);
        if (route.kind == Kind::loop) {
            auto result = route.handler(context_, request);
            return result ? send(exchange, *result) : send(exchange, result.error());
        }
        struct Work {
            ApiRequest request;
            Result<ApiResponse> result{Error()};
        };
        auto work = std::make_shared<Work>();
        work->request = std::move(request);
        const bool taken = context_.offload(
            [self = shared_from_this(), work] { work->result = self->writes_.run(work->request); },
            [work, &exchange] {
                work->result ? send(exchange, *work->result) : send(exchange, work->result.error());
            });
        if (taken) return;
        const Error error = overloaded();
        if (route.audited) writes_.refused(work->request, error);
        send(exchange, error);
    }

    Context context_;
    WriteGuard writes_;
};

ManagementApi::ManagementApi(boost::asio::io_context& loop, ApiOptions options, const ApiServices& services)
    : impl_(std::make_shared<Impl>(loop, std::move(options), services)) {}
ManagementApi::~ManagementApi() = default;

size_t ManagementApi::on_head(net::HttpExchange& exchange) {
    return impl_->on_head(exchange);
}
void ManagementApi::on_request(net::HttpExchange& exchange) {
    impl_->on_request(exchange);
}
void ManagementApi::set_draining() {
    impl_->context().draining = true;
}
void ManagementApi::stop() {
    impl_->stop();
}

}  // namespace hks::api
