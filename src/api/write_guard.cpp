// SPDX-License-Identifier: Apache-2.0
#include "write_guard.hpp"

#include <hks/storage/artifact_store.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <algorithm>
#include <exception>

namespace hks::api {
namespace {

constexpr size_t most_waiting = 256;

bool is_valid_key(std::string_view key) {
    return key.size() <= 255 &&
           std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// A stored answer: etag, location and body, a line each.
std::string pack(const ApiResponse& response) {
    return response.etag + "\n" + response.location + "\n" + response.body;
}

ApiResponse unpack(const registry::FunctionRegistry::StoredAnswer& stored) {
    ApiResponse response;
    response.status = stored.status;
    const size_t first = stored.body.find('\n');
    const size_t second = first == std::string::npos ? first : stored.body.find('\n', first + 1);
    if (second == std::string::npos) return response;
    response.etag = stored.body.substr(0, first);
    response.location = stored.body.substr(first + 1, second - first - 1);
    response.body = stored.body.substr(second + 1);
    return response;
}

std::string target_of(const ApiRequest& request) {
    std::string target;
    for (const char* name : {"f", "v", "t", "name", "id"}) {
        const auto it = request.parameters.find(name);
        if (it == request.parameters.end()) continue;
        if (!target.empty()) target += '/';
        target += it->second;
    }
    return target.substr(0, 512);
}

}  // namespace

WriteGuard::WriteGuard(Context& context)
    : context_(context),
      dropped_(context.services.metrics.counter(
          "hks_audit_dropped_total", "Refused writes that came too fast to be kept in the audit log.")) {}

Result<ApiResponse> WriteGuard::run_handler(const ApiRequest& request) {
    try {
        return request.route->handler(context_, request);
    } catch (const std::exception& failure) {
        context_.services.logger.error("a management handler failed",
                                       {{"route", request.route->id}, {"what", failure.what()}});
        return Error(Errc::internal, "The server made a mistake with this request. Its log says more.");
    }
}

Result<ApiResponse> WriteGuard::run_once(const ApiRequest& request) {
    if (request.idempotency_key.empty()) return run_handler(request);
    if (!is_valid_key(request.idempotency_key)) {
        Error error(Errc::validation_error, "Idempotency-Key must be at most 255 visible ASCII characters.");
        error.fields.push_back({"Idempotency-Key", "must be at most 255 visible ASCII characters"});
        return error;
    }
    auto& registry = context_.services.registry;
    const std::string scope =
        request.principal.token_id + " " + std::string(request.route->method) + " " + request.path;
    std::string input(request.content_type);
    for (const auto& [name, value] : request.query) input += "\n" + name + "=" + value;
    const std::string digest =
        storage::sha256_hex(storage::sha256_hex(input) + storage::sha256_hex(request.body));
    const std::string running = scope + " " + request.idempotency_key;
    {
        std::lock_guard lock(mutex_);
        if (!running_.insert(running).second) {
            Error error(Errc::conflict,
                        "A request with this Idempotency-Key is being done now. Ask again in a second.");
            error.retry_after = milliseconds(1000);
            return error;
        }
    }
    const auto forget = [&] {
        std::lock_guard lock(mutex_);
        running_.erase(running);
    };
    auto stored = registry.recall(scope, request.idempotency_key, digest);
    if (!stored || *stored) {
        forget();
        if (!stored) return stored.error();
        return unpack(**stored);
    }
    auto result = run_handler(request);
    const int status = result ? result->status : http_status(result.error().code);
    if (status < 500) {
        registry::FunctionRegistry::StoredAnswer answer;
        answer.status = status;
        answer.body = result ? pack(*result) : "\n\n" + to_json_text(result.error());
        if (result && request.route->secret_answer) {
            // What is shown once only is not kept either: the second answer says so.
            answer.status = http_status(Errc::conflict);
            answer.body =
                "\n\n" + to_json_text(Error(
                             Errc::conflict,
                             "This was done already under the same Idempotency-Key, and its value is shown "
                             "once only. If you did not get it, revoke it and make another."));
        }
        if (auto kept = registry.remember(scope, request.idempotency_key, digest, answer); !kept)
            context_.services.logger.warn("an answer could not be kept for its Idempotency-Key",
                                          {{"route", request.route->id}, {"why", kept.error().message}});
    }
    forget();
    return result;
}

Result<ApiResponse> WriteGuard::run(const ApiRequest& request) {
    if (!request.route->audited) return run_handler(request);
    auto result = run_once(request);
    if (result) {
        auto row = record(request, result->status, "");
        if (!result->audit_target.empty()) row.target = result->audit_target;
        append(row);
    } else {
        append(
            record(request, http_status(result.error().code), std::string(code_name(result.error().code))));
    }
    return result;
}

auth::AuditRecord WriteGuard::record(const ApiRequest& request, int status, std::string code) const {
    auth::AuditRecord row;
    row.time = context_.services.clock.wall();
    row.who = request.principal.token_id.empty() ? "-" : request.principal.name;
    row.from = request.remote_address;
    const auto workspace = request.parameters.find("ws");
    if (workspace != request.parameters.end()) row.workspace = workspace->second.substr(0, 64);
    row.action = request.route->id;
    row.target = target_of(request);
    row.status = status;
    row.code = std::move(code);
    return row;
}

void WriteGuard::append(const auth::AuditRecord& record) {
    if (auto kept = context_.services.audit.append(record); !kept)
        context_.services.logger.error("a write could not be kept in the audit log",
                                       {{"action", record.action}, {"why", kept.error().message}});
}

void WriteGuard::refused(const ApiRequest& request, const Error& error) {
    auto row = record(request, http_status(error.code), std::string(code_name(error.code)));
    std::lock_guard lock(mutex_);
    if (waiting_.size() >= most_waiting) {
        dropped_.add();
        return;
    }
    waiting_.push_back(std::move(row));
    // One task at a time, whatever comes in: strangers must not fill the pool.
    if (!draining_) draining_ = context_.services.pool.submit([this] { drain(); });
}

void WriteGuard::drain() {
    while (true) {
        auth::AuditRecord row;
        {
            std::lock_guard lock(mutex_);
            if (waiting_.empty()) {
                draining_ = false;
                return;
            }
            row = std::move(waiting_.front());
            waiting_.pop_front();
        }
        append(row);
    }
}

}  // namespace hks::api
