// SPDX-License-Identifier: Apache-2.0
#include <hks/core/error.hpp>

#include <nlohmann/json.hpp>

#include <catch2/catch.hpp>

using namespace hks;

namespace {

constexpr auto last = static_cast<int>(Errc::internal);

}  // namespace

TEST_CASE("codes have the wire name and status of the contract") {
    struct Row {
        Errc code;
        const char* name;
        int status;
    };
    const Row row = GENERATE(
        Row{Errc::validation_error, "VALIDATION_ERROR", 400},
        Row{Errc::invalid_runtime, "INVALID_RUNTIME", 400}, Row{Errc::auth_required, "AUTH_REQUIRED", 401},
        Row{Errc::permission_denied, "PERMISSION_DENIED", 403}, Row{Errc::not_found, "NOT_FOUND", 404},
        Row{Errc::function_not_found, "FUNCTION_NOT_FOUND", 404},
        Row{Errc::token_not_found, "TOKEN_NOT_FOUND", 404},
        Row{Errc::method_not_allowed, "METHOD_NOT_ALLOWED", 405}, Row{Errc::conflict, "CONFLICT", 409},
        Row{Errc::precondition_failed, "PRECONDITION_FAILED", 412},
        Row{Errc::package_size_exceeded, "PACKAGE_SIZE_EXCEEDED", 413},
        Row{Errc::build_failed, "BUILD_FAILED", 422},
        Row{Errc::rate_limit_exceeded, "RATE_LIMIT_EXCEEDED", 429},
        Row{Errc::invocation_failed, "INVOCATION_FAILED", 500},
        Row{Errc::worker_failed, "INVOCATION_FAILED", 502},
        Row{Errc::not_implemented, "NOT_IMPLEMENTED", 501}, Row{Errc::overloaded, "OVERLOADED", 503},
        Row{Errc::invocation_timeout, "INVOCATION_TIMEOUT", 504},
        Row{Errc::storage_full, "STORAGE_FULL", 507}, Row{Errc::provider_error, "PROVIDER_ERROR", 503},
        Row{Errc::internal, "PROVIDER_ERROR", 500});
    CHECK(code_name(row.code) == row.name);
    CHECK(http_status(row.code) == row.status);
}

TEST_CASE("a wire name gives a code with the same wire name back") {
    for (int i = 0; i <= last; ++i) {
        const auto code = static_cast<Errc>(i);
        CHECK(code_name(code_from_name(code_name(code))) == code_name(code));
    }
}

TEST_CASE("a shared wire name gives the code that callers see") {
    CHECK(code_from_name("INVOCATION_FAILED") == Errc::invocation_failed);
    CHECK(code_from_name("PROVIDER_ERROR") == Errc::provider_error);
}

TEST_CASE("an unknown wire name is internal") {
    CHECK(code_from_name("NO_SUCH_CODE") == Errc::internal);
    CHECK(code_from_name("") == Errc::internal);
}

TEST_CASE("only an unreachable server makes the client exit with 3") {
    for (int i = 0; i <= last; ++i)
        CHECK(exit_code(static_cast<Errc>(i)) == (static_cast<Errc>(i) == Errc::unavailable ? 3 : 1));
}

TEST_CASE("details is an object even when there are none") {
    const auto json = nlohmann::json::parse(to_json_text(Error(Errc::conflict, "It is taken.")));
    CHECK(json == nlohmann::json{{"error", "It is taken."},
                                 {"code", "CONFLICT"},
                                 {"details", nlohmann::json::object()}});
}

TEST_CASE("every wrong field is in details.fields, with its line when known") {
    Error error(Errc::validation_error, "Two fields.");
    error.fields = {{"spec.a", "is odd", 3}, {"spec.b", "is \"even\"", 0}};
    const auto fields = nlohmann::json::parse(to_json_text(error))["details"]["fields"];
    CHECK(
        fields ==
        nlohmann::json::parse(
            R"([{"field":"spec.a","message":"is odd","line":3},{"field":"spec.b","message":"is \"even\""}])"));
}

TEST_CASE("further details stand beside the fields") {
    Error error(Errc::invocation_failed, "It threw.");
    error.details = {{"type", "ValueError"}};
    CHECK(nlohmann::json::parse(to_json_text(error))["details"] == nlohmann::json{{"type", "ValueError"}});
    error.fields = {{"x", "y", 0}};
    CHECK(nlohmann::json::parse(to_json_text(error))["details"].size() == 2);
}

TEST_CASE("a message that is not UTF-8 still makes valid JSON") {
    const auto json = nlohmann::json::parse(to_json_text(Error(Errc::build_failed, "bad \xff\xc3 byte")));
    CHECK(json["error"] == "bad \xef\xbf\xbd\xef\xbf\xbd byte");
}

TEST_CASE("value() of a failed result throws with code and message") {
    const Result<int> result = Error(Errc::conflict, "It is taken.");
    CHECK_THROWS_WITH(result.value(), "CONFLICT: It is taken.");
}
