// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one error type of the project. Below the edge every function that can fail returns Result<T>;
// one table (error.cpp) maps a code to its wire name, HTTP status and the client's exit code.
// Plain values: copy freely, any thread.

#include <boost/system/result.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hks {

enum class Errc {
    validation_error,
    invalid_runtime,
    auth_required,
    auth_invalid_token,
    permission_denied,
    not_found,  // a route that does not exist
    function_not_found,
    version_not_found,
    trigger_not_found,
    invocation_not_found,
    secret_not_found,
    token_not_found,
    method_not_allowed,
    already_exists,
    conflict,
    precondition_failed,
    payload_too_large,
    package_size_exceeded,
    build_failed,
    quota_exceeded,
    rate_limit_exceeded,
    concurrency_limit_exceeded,
    invocation_failed,   // the handler threw: 500
    worker_failed,       // the worker died or answered nonsense: 502, same wire name INVOCATION_FAILED
    overloaded,
    provider_error,
    invocation_timeout,
    storage_full,
    not_implemented,     // an HTTP method nobody knows: 501
    unavailable,         // client side only: the server could not be reached
    internal,            // a defect of ours: 500 PROVIDER_ERROR
};

/// Wire name, e.g. "FUNCTION_NOT_FOUND".
std::string_view code_name(Errc code);
/// HTTP status, e.g. 404.
int http_status(Errc code);
/// Exit code of the client: 3 when the server could not be reached, else 1.
int exit_code(Errc code);
/// Code for a wire name; Errc::internal for a name that is not in the table.
Errc code_from_name(std::string_view name);

/// One field that was wrong. `field` is a dotted path ("spec.resources.memory"); line is 1-based, 0 = unknown.
struct FieldError {
    std::string field;
    std::string message;
    int line = 0;
};

struct Error {
    Errc code = Errc::internal;
    std::string message;             ///< one sentence of what happened and one of what to do
    std::vector<FieldError> fields;  ///< every field that was wrong, not the first only
    std::chrono::milliseconds retry_after{0};  ///< 0 = say nothing
    std::vector<std::pair<std::string, std::string>> details;  ///< further members of "details"

    Error() = default;
    Error(Errc c, std::string m) : code(c), message(std::move(m)) {}
};

/// {"error": …, "code": …, "details": {"fields": […], …}} — the body of every management error.
std::string to_json_text(const Error& error);

[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& loc);

template <class T>
using Result = boost::system::result<T, Error>;

}  // namespace hks
