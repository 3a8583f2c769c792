// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lets Catch show the error of a Result<void> that a REQUIRE() looked at.

#include <hks/core/error.hpp>

#include <ostream>

namespace hks {

inline std::ostream& operator<<(std::ostream& out, const Error& error) {
    return out << code_name(error.code) << ": " << error.message;
}

}  // namespace hks
