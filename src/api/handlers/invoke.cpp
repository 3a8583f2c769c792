// SPDX-License-Identifier: Apache-2.0
#include "../context.hpp"
#include "../invoke_body.hpp"
#include "../objects.hpp"
#include "handlers.hpp"

#include <hks/core/base64.hpp>
#include <hks/core/json_text.hpp>
#include <hks/core/units.hpp>
#include <hks/dispatch/dispatcher.hpp>

#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

#include <cmath>
#include <map>

namespace hks::api {

using nlohmann::json;

namespace {

/// Bodies beyond this are read and written on the pool: JSON of megabytes would hold up the loop.
constexpr size_t large_body = 64 * 1024;

/// What came out of a call, ready to be written down.
struct Outcome {
    int status = 200;
    std::string headers;  ///< "name: value\n" lines
    std::string body;
    std::string invocation_id;
    double duration_ms = 0;
    bool cold_start = false;
    int version = 0;
    std::optional<CallFailure> failure;
};

json headers_json(std::string_view block) {
    json out = json::object();
    while (!block.empty()) {
        const size_t end = std::min(block.find('\n'), block.size());
        const std::string_view line = block.substr(0, end);
        block.remove_prefix(std::min(end + 1, block.size()));
        const size_t colon = line.find(':');
        if (colon == line.npos) continue;
        std::string_view value = line.substr(colon + 1);
        while (value.starts_with(' ')) value.remove_prefix(1);
        std::string name(line.substr(0, colon));
        for (char& c : name)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        out[name].push_back(std::string(value));
    }
    return out;
}

/// What callers of Python or Node would see as the class of an error; the platform's own have names too.
std::string type_of(const CallFailure& failure) {
    if (!failure.type.empty()) return failure.type;
    if (failure.error.code == Errc::worker_failed) return "WorkerFailed";
    if (failure.error.code == Errc::invocation_timeout) return "Timeout";
    return "PlatformError";
}

ApiResponse outcome_response(const Outcome& outcome) {
    json out{
        {"status_code", outcome.status},       {"headers", headers_json(outcome.headers)},
        {"body", base64_encode(outcome.body)}, {"duration_ms", std::round(outcome.duration_ms * 1000) / 1000},
        {"cold_start", outcome.cold_start},    {"invocation_id", outcome.invocation_id},
        {"version", outcome.version}};
    if (outcome.failure) {
        const CallFailure& failure = *outcome.failure;
        out["error"] = {{"type", type_of(failure)},
                        {"message", failure.exception_message.empty() ? failure.error.message
                                                                      : failure.exception_message},
                        {"stack", failure.stack}};
    }
    return json_response(200, out);
}

/// One call made through the API: owns the request's strings, collects the answer, answers the exchange once.
class ApiCall final : public Call, public Session, public std::enable_shared_from_this<ApiCall> {
  public:
    ApiCall(Context& context, net::HttpExchange& exchange, InvokeBody body,
            std::shared_ptr<const Version> version, const ApiRequest& request)
        : context_(context),
          exchange_(exchange),
          owned_(std::move(body)),
          version_(std::move(version)),
          source_ip_(request.remote_address) {
        authorizer_ = R"({"principalId":)";
        append_json_string(authorizer_, request.principal.name);
        authorizer_ += '}';
        for (const auto& [name, value] : owned_.headers) headers_.push_back({name, value});
        id = InvocationId::generate();
        this->request.method = owned_.method;
        this->request.path = owned_.path;
        this->request.original_path = owned_.path;
        this->request.query = owned_.query;
        this->request.source_ip = source_ip_;
        this->request.body = owned_.body;
        this->request.headers = headers_;
        this->request.authorizer = authorizer_;
        this->request.trigger = "invoke";
        for (const Header& header : headers_)
            if (header.name == "traceparent") this->request.traceparent = header.value;
    }

    void start() {
        context_.sessions.insert(shared_from_this());
        exchange_.set_on_closed([self = weak_from_this()] {
            if (const auto call = self.lock(); call && !call->over_) call->give_up();
        });
        pool_ = context_.services.dispatcher.pool(version_);
        context_.services.dispatcher.invoke(*pool_, *this);
    }

    void stop() override {}  // the dispatcher lets it finish, or ends it at the drain's deadline

    void on_response(int status, std::string_view headers, std::string_view body, bool end) override {
        if (over_) return;
        outcome_.status = status;
        outcome_.headers = headers;
        take(body, end);
    }

    void on_chunk(std::string_view body, bool end) override {
        if (!over_) take(body, end);
    }

    void on_failed(const CallFailure& failure) override {
        if (over_) return;
        // Once an instance had it (or could not be made for it), the answer is about the function; a call
        // that never left the queue is the server's to refuse.
        const bool dispatched = times.sent != SteadyTime{} || failure.error.code == Errc::worker_failed;
        dispatched ? fail(failure) : refuse(failure.error);
    }

  private:
    void take(std::string_view body, bool end) {
        if (outcome_.body.size() + body.size() > context_.options.max_response) {
            if (!end) context_.services.dispatcher.cancel(*this);
            CallFailure failure;
            failure.error = Error(Errc::worker_failed,
                                  "The function's answer is larger than " +
                                      format_bytes(context_.options.max_response) +
                                      ". Call its URL to get it as a stream, or raise limits.response.");
            failure.type = "AnswerTooLarge";
            return fail(failure);
        }
        outcome_.body += body;
        if (end) {
            finish();
        } else if (!body.empty()) {
            context_.services.dispatcher.consumed(*this, body.size());
        }
    }

    void fail(const CallFailure& failure) {
        outcome_.status = http_status(failure.error.code);
        outcome_.headers = "content-type: application/json\n";
        outcome_.body = to_json_text(failure.error);
        outcome_.failure = failure;
        finish();
    }

    void finish() {
        const SteadyTime none{};
        const SteadyTime begin = times.sent != none ? times.sent : times.queued;
        const auto took = begin == none ? SteadyTime::duration(0) : context_.services.clock.steady() - begin;
        outcome_.duration_ms = std::chrono::duration<double, std::milli>(took).count();
        outcome_.cold_start = cold_start;
        outcome_.invocation_id = std::string(id.text());
        outcome_.version = version_->number;
        over_ = true;
        auto response = std::make_shared<ApiResponse>();
        const auto self = shared_from_this();
        const auto answer = [self, response] {
            send(self->exchange_, *response);
            self->leave();
        };
        const auto write = [self, response] { *response = outcome_response(self->outcome_); };
        if (outcome_.body.size() > large_body && context_.offload(write, answer)) return;
        write();
        answer();
    }

    void refuse(const Error& error) {
        over_ = true;
        send(exchange_, error, "X-Hks-Invocation-Id: " + std::string(id.text()) + "\r\n");
        leave();
    }

    /// The client is gone.
    void give_up() {
        over_ = true;
        context_.services.dispatcher.cancel(*this);
        send(exchange_, ApiResponse{});
        leave();
    }

    /// The dispatcher may still be in the middle of telling us: the object goes a turn later.
    void leave() {
        boost::asio::post(context_.loop, [self = shared_from_this()] { self->context_.end(self); });
    }

    Context& context_;
    net::HttpExchange& exchange_;
    InvokeBody owned_;
    std::shared_ptr<const Version> version_;
    std::shared_ptr<dispatch::VersionPool> pool_;
    std::string source_ip_;
    std::string authorizer_;
    std::vector<Header> headers_;
    Outcome outcome_;
    bool over_ = false;
};

void begin_call(Context& context, net::HttpExchange& exchange, const ApiRequest& request, InvokeBody body) {
    const auto function = context.find_function(request.workspace(), request.function());
    if (!function) return send(exchange, function_not_found(request.function()));
    std::shared_ptr<const Version> version = function->active;
    if (body.version != 0) {
        const auto it = function->versions.find(body.version);
        version = it == function->versions.end() ? nullptr : it->second;
        if (!version) return send(exchange, version_not_found(function->name, std::to_string(body.version)));
    }
    if (!version)
        return send(exchange,
                    Error(Errc::version_not_found,
                          "The function '" + function->name +
                              "' has no version that is ready. Wait for its build, or read why it failed: "
                              "GET functions/" +
                              function->name + "/versions."));
    std::make_shared<ApiCall>(context, exchange, std::move(body), std::move(version), request)->start();
}

}  // namespace

void invoke_function(Context& context, net::HttpExchange& exchange, const ApiRequest& request) {
    auto body = std::make_shared<Result<InvokeBody>>();
    const auto read = [&context, body, content_type = request.content_type, text = request.body] {
        *body = read_invoke_body(content_type, text, context.options.max_call);
    };
    const auto begin = [&context, &exchange, request, body] {
        if (!*body) return send(exchange, body->error());
        begin_call(context, exchange, request, std::move(**body));
    };
    if (request.body.size() > large_body) {
        if (!context.offload(read, begin)) send(exchange, overloaded());
        return;
    }
    read();
    begin();
}

}  // namespace hks::api
