// SPDX-License-Identifier: Apache-2.0
#pragma once
// Results in tests: take() fails the test with the error's own words.

#include <hks/core/error.hpp>

#include <catch2/catch.hpp>
#include <string>
#include <utility>

namespace hks::test {

template <class T>
T take(Result<T> result) {
    INFO((result ? std::string()
                 : std::string(code_name(result.error().code)) + ": " + result.error().message));
    REQUIRE(result.has_value());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// The code of a failure; fails the test when there is none.
template <class T>
std::string failure(const Result<T>& result) {
    REQUIRE(!result.has_value());
    return std::string(code_name(result.error().code));
}

template <class T>
std::string message(const Result<T>& result) {
    REQUIRE(!result.has_value());
    return result.error().message;
}

}  // namespace hks::test
