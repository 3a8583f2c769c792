// SPDX-License-Identifier: Apache-2.0
#pragma once
// Why the edge itself says no to a message: the status and one sentence that says what the sender has to
// change.

#include <hks/core/error.hpp>

namespace hks::net {

struct Refusal {
    int status = 0;  ///< 0 = nothing is wrong
    const char* message = "";

    explicit operator bool() const { return status != 0; }
};

/// The error whose JSON is the body of the refusal; the status on the wire stays that of the refusal.
inline Error to_error(const Refusal& refusal) {
    Errc code = Errc::validation_error;
    if (refusal.status == 413) code = Errc::payload_too_large;
    if (refusal.status == 501) code = Errc::not_implemented;
    if (refusal.status == 503) code = Errc::overloaded;
    return Error{code, refusal.message};
}

}  // namespace hks::net
