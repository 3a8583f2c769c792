// SPDX-License-Identifier: Apache-2.0
#pragma once
// RFC 4648 section 4. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace hks {

std::string base64_encode(std::string_view bytes);
/// Standard alphabet, padding required, no white space; nullopt otherwise.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace hks
