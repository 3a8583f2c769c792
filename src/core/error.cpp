// SPDX-License-Identifier: Apache-2.0
#include <hks/core/error.hpp>
#include <hks/core/json_text.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace hks {
namespace {

struct Row {
    Errc code;
    std::string_view name;
    int status;
    int exit = 1;
};

// In the order of the enumeration. Where two codes share a name, the one that a reader of the name gets comes
// first.
constexpr std::array rows{
    Row{Errc::validation_error, "VALIDATION_ERROR", 400},
    Row{Errc::invalid_runtime, "INVALID_RUNTIME", 400},
    Row{Errc::auth_required, "AUTH_REQUIRED", 401},
    Row{Errc::auth_invalid_token, "AUTH_INVALID_TOKEN", 401},
    Row{Errc::permission_denied, "PERMISSION_DENIED", 403},
    Row{Errc::not_found, "NOT_FOUND", 404},
    Row{Errc::function_not_found, "FUNCTION_NOT_FOUND", 404},
    Row{Errc::version_not_found, "VERSION_NOT_FOUND", 404},
    Row{Errc::trigger_not_found, "TRIGGER_NOT_FOUND", 404},
    Row{Errc::invocation_not_found, "INVOCATION_NOT_FOUND", 404},
    Row{Errc::secret_not_found, "SECRET_NOT_FOUND", 404},
    Row{Errc::token_not_found, "TOKEN_NOT_FOUND", 404},
    Row{Errc::method_not_allowed, "METHOD_NOT_ALLOWED", 405},
    Row{Errc::already_exists, "ALREADY_EXISTS", 409},
    Row{Errc::conflict, "CONFLICT", 409},
    Row{Errc::precondition_failed, "PRECONDITION_FAILED", 412},
    Row{Errc::payload_too_large, "PAYLOAD_TOO_LARGE", 413},
    Row{Errc::package_size_exceeded, "PACKAGE_SIZE_EXCEEDED", 413},
    Row{Errc::build_failed, "BUILD_FAILED", 422},
    Row{Errc::quota_exceeded, "QUOTA_EXCEEDED", 422},
    Row{Errc::rate_limit_exceeded, "RATE_LIMIT_EXCEEDED", 429},
    Row{Errc::concurrency_limit_exceeded, "CONCURRENCY_LIMIT_EXCEEDED", 429},
    Row{Errc::invocation_failed, "INVOCATION_FAILED", 500},
    Row{Errc::worker_failed, "INVOCATION_FAILED", 502},
    Row{Errc::overloaded, "OVERLOADED", 503},
    Row{Errc::provider_error, "PROVIDER_ERROR", 503},
    Row{Errc::invocation_timeout, "INVOCATION_TIMEOUT", 504},
    Row{Errc::storage_full, "STORAGE_FULL", 507},
    Row{Errc::not_implemented, "NOT_IMPLEMENTED", 501},
    Row{Errc::unavailable, "UNAVAILABLE", 503, 3},
    Row{Errc::internal, "PROVIDER_ERROR", 500},
};

constexpr bool in_order() {
    for (size_t i = 0; i < rows.size(); ++i)
        if (static_cast<size_t>(rows[i].code) != i) return false;
    return rows.size() == static_cast<size_t>(Errc::internal) + 1;
}
static_assert(in_order(), "every Errc has its row, at its own place");

const Row& row_of(Errc code) {
    const auto i = static_cast<size_t>(code);
    return i < rows.size() ? rows[i] : rows.back();
}

void append_member(std::string& out, std::string_view key, std::string_view value) {
    append_json_string(out, key);
    out += ':';
    append_json_string(out, value);
}

void append_fields(std::string& out, const std::vector<FieldError>& fields) {
    out += "\"fields\":[";
    for (size_t i = 0; i < fields.size(); ++i) {
        out += i ? ",{" : "{";
        append_member(out, "field", fields[i].field);
        out += ',';
        append_member(out, "message", fields[i].message);
        if (fields[i].line > 0) out += ",\"line\":" + std::to_string(fields[i].line);
        out += '}';
    }
    out += ']';
}

}  // namespace

std::string_view code_name(Errc code) {
    return row_of(code).name;
}

int http_status(Errc code) {
    return row_of(code).status;
}

int exit_code(Errc code) {
    return row_of(code).exit;
}

Errc code_from_name(std::string_view name) {
    const auto found =
        std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.name == name; });
    return found == rows.end() ? Errc::internal : found->code;
}

std::string to_json_text(const Error& error) {
    std::string out = "{";
    append_member(out, "error", error.message);
    out += ',';
    append_member(out, "code", code_name(error.code));
    out += ",\"details\":{";
    if (!error.fields.empty()) append_fields(out, error.fields);
    for (const auto& [key, value] : error.details) {
        if (out.back() != '{') out += ',';
        append_member(out, key, value);
    }
    out += "}}";
    return out;
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
    throw std::runtime_error(std::string(code_name(error.code)) + ": " + error.message);
}

}  // namespace hks
