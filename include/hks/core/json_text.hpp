// SPDX-License-Identifier: Apache-2.0
#pragma once
// JSON written by hand, without a tree: for error bodies, log lines and the hot path. Pure, never throws for
// its input.

#include <string>
#include <string_view>

namespace hks {

/// Appends `text` as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD; DEL and U+2028/2029 are
/// escaped like the control characters, so that the result is one line everywhere.
void append_json_string(std::string& out, std::string_view text);

}  // namespace hks
