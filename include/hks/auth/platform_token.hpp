// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a token of this platform looks like, whatever it is written into. Pure, any thread, allocates nothing.

#include <string_view>

namespace hks::auth {

inline constexpr std::string_view token_prefix = "hks_";
inline constexpr size_t token_size = 47;  ///< the prefix and 32 bytes in base64url

constexpr bool is_token_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/// Where clients put a token: only these headers are looked at. Lower-case names.
constexpr bool may_hold_token(std::string_view header) {
    return (header.size() == 13 && header == "authorization") ||
           (header.size() == 9 && header == "x-api-key");
}

/// True when a word of a header's value is a token: "Bearer hks_…", "token=\"hks_…\"", "hks_…". Behind a
/// scheme everything that begins like one counts, elsewhere only what can be one.
constexpr bool holds_platform_token(std::string_view value) {
    for (size_t at = value.find(token_prefix); at != value.npos; at = value.find(token_prefix, at + 1)) {
        if (at > 0 && is_token_character(value[at - 1])) continue;
        if (at > 0 && value[at - 1] == ' ') return true;
        size_t end = at;
        while (end < value.size() && is_token_character(value[end])) ++end;
        if (end - at == token_size) return true;
    }
    return false;
}

}  // namespace hks::auth
