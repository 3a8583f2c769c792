// SPDX-License-Identifier: Apache-2.0
#include "gateway_call.hpp"

#include "function_headers.hpp"

#include <hks/auth/platform_token.hpp>
#include <hks/core/units.hpp>
#include <hks/telemetry/logger.hpp>

#include <algorithm>

namespace hks::gateway {
namespace {

/// A stream gets no more credit while its client has this much still to take.
constexpr size_t most_unread = 256 * 1024;

bool has_no_body(int status) {
    return status == 204 || status == 304;
}

/// What a caller from outside may know of a failure. `sent`: an instance had the call.
Error public_error(const CallFailure& failure, const std::string& function, bool sent) {
    const Errc code = failure.error.code;
    std::string what;
    if (code == Errc::invocation_failed) what = "threw an error";
    // Why it does not start tells of its secrets and of this host.
    if (!sent && (code == Errc::worker_failed || code == Errc::provider_error)) what = "could not be started";
    if (what.empty()) return failure.error;
    Error error(code, "Function '" + function + "' " + what + ". Its log tells more.");
    error.retry_after = failure.error.retry_after;
    if (!failure.type.empty()) error.details.emplace_back("type", failure.type);
    return error;
}

bool holds_token(const Header& header) {
    return auth::may_hold_token(header.name) && auth::holds_platform_token(header.value);
}

}  // namespace

void answer_error(net::HttpExchange& exchange, const Error& error, std::string headers) {
    headers += "Content-Type: application/json\r\n";
    if (error.retry_after.count() > 0) {
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(error.retry_after);
        headers += "Retry-After: " + std::to_string(seconds.count()) + "\r\n";
    }
    exchange.respond(http_status(error.code), headers, to_json_text(error));
}

GatewayCall::~GatewayCall() {
    if (inside_) door_.dispatcher.cancel(*this);
}

std::string_view GatewayCall::version_line() const {
    return numbered_pool ? numbered_line : match.routes->version_line;
}

void GatewayCall::begin(net::HttpExchange& exchange) {
    exchange_ = &exchange;
    uncredited_ = 0;
    id = InvocationId::generate();
    fill_request(exchange.request());
    inside_ = true;
    exchange.set_on_closed([this] { give_up(); });
    door_.dispatcher.invoke(numbered_pool ? *numbered_pool : *match.routes->pool, *this);
}

void GatewayCall::fill_request(const net::HttpRequest& from) {
    request.method = from.method;
    request.path =
        match.told_from < from.path.size() ? from.path.substr(match.told_from) : std::string_view("/");
    request.original_path = from.raw_path;
    request.query = from.query;
    request.source_ip = from.remote_address;
    request.body = from.body;
    request.headers = from.headers;
    request.authorizer = authorizer;
    request.trigger = match.target->trigger;
    request.traceparent = {};

    parameters_.clear();
    for (size_t i = 0; i < match.parts.size(); ++i) {
        const PathPart part = match.parts[i];
        parameters_.push_back(
            {match.route->parameters[i], from.path.substr(match.parts_from + part.begin, part.size)});
    }
    request.path_parameters = parameters_;

    bool has_token = false;
    for (const Header& header : from.headers) {
        if (header.name.size() == 11 && header.name == "traceparent") request.traceparent = header.value;
        has_token |= holds_token(header);
    }
    if (!has_token) return;
    headers_.clear();
    for (const Header& header : from.headers)
        if (!holds_token(header)) headers_.push_back(header);
    request.headers = headers_;
}

void GatewayCall::on_response(int status, std::string_view headers, std::string_view body, bool end) {
    if (status < 200 || status > 599) return nonsense("its status is " + std::to_string(status), end);
    head_.clear();
    std::string_view why;
    if (!append_function_headers(head_, headers, why)) return nonsense(why, end);
    if (end && body.size() > door_.options.max_response) {
        return nonsense("it is larger than " + format_bytes(door_.options.max_response) +
                            "; stream it, or raise limits.response",
                        end);
    }
    append_platform_headers(head_, *this, version_line());
    if (end) {
        inside_ = false;
        // The function says how long the body of a GET would be: a HEAD has none to measure.
        if (body.empty() && exchange_->request().head_only)
            return exchange_->respond_head(status, head_, content_length_of(headers));
        return exchange_->respond(status, head_, has_no_body(status) ? std::string_view() : body);
    }
    if (has_no_body(status)) {
        inside_ = false;
        door_.dispatcher.cancel(*this);
        return exchange_->respond(status, head_, {});
    }
    exchange_->begin(status, head_);
    exchange_->set_on_drained([this] {
        if (inside_ && uncredited_ > 0) door_.dispatcher.consumed(*this, std::exchange(uncredited_, 0));
    });
    if (!body.empty()) write_part(body);
}

void GatewayCall::on_chunk(std::string_view body, bool end) {
    if (!end) return write_part(body);
    inside_ = false;
    if (!body.empty()) exchange_->write(body);
    exchange_->finish();
}

void GatewayCall::write_part(std::string_view body) {
    uncredited_ += body.size();
    const size_t unread = exchange_->write(body);
    // The client may have gone away within write().
    if (inside_ && unread <= most_unread && uncredited_ > 0)
        door_.dispatcher.consumed(*this, std::exchange(uncredited_, 0));
}

/// The function answered, but not with an HTTP answer.
void GatewayCall::nonsense(std::string_view why, bool end) {
    inside_ = false;
    if (!end) door_.dispatcher.cancel(*this);
    std::string text(why);
    door_.logger.warn("a function's answer was refused", {{"workspace", match.routes->function->workspace},
                                                          {"function", function_name()},
                                                          {"invocation", id.text()},
                                                          {"why", text}});
    head_.clear();
    append_platform_headers(head_, *this, version_line());
    answer_error(*exchange_,
                 Error(Errc::worker_failed,
                       "The answer of function '" + function_name() + "' was refused: " + text + "."),
                 head_);
}

void GatewayCall::on_failed(const CallFailure& failure) {
    inside_ = false;
    if (started_answer) return exchange_->abort();
    head_.clear();
    append_platform_headers(head_, *this, version_line());
    answer_error(*exchange_, public_error(failure, function_name(), times.sent != SteadyTime{}), head_);
}

void GatewayCall::give_up() {
    if (!inside_) return;
    inside_ = false;
    door_.dispatcher.cancel(*this);
    exchange_->abort();  // a closed exchange still waits to be ended
}

}  // namespace hks::gateway
