// SPDX-License-Identifier: Apache-2.0
#pragma once
// Character classes of RFC 9110 and 9112 as one 256-entry table, and the few text helpers that the parsers
// share. Pure.

#include <array>
#include <cstdint>
#include <string_view>

namespace hks::net {

inline constexpr uint8_t class_token = 1;   ///< tchar
inline constexpr uint8_t class_target = 2;  ///< may stand in a request target
inline constexpr uint8_t class_value = 4;   ///< may stand in a field value, HTAB and 8-bit bytes included
inline constexpr uint8_t class_host = 8;    ///< may stand in a registered name or an IPv4 address
inline constexpr uint8_t class_digit = 16;
inline constexpr uint8_t class_hex = 32;

consteval std::array<uint8_t, 256> make_character_classes() {
    std::array<uint8_t, 256> table{};
    for (unsigned c = 0; c < 256; ++c) {
        const bool digit = c >= '0' && c <= '9';
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        uint8_t bits = 0;
        if (digit || letter ||
            std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos)
            bits |= class_token;
        if (c > 0x20 && c < 0x7f && c != '#' && c != '\\') bits |= class_target;
        if ((c >= 0x20 && c != 0x7f) || c == '\t') bits |= class_value;
        if (digit || letter || c == '-' || c == '.' || c == '_' || c == '~') bits |= class_host;
        if (digit) bits |= class_digit;
        if (digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) bits |= class_hex;
        table[c] = bits;
    }
    return table;
}

inline constexpr std::array<uint8_t, 256> character_classes = make_character_classes();

inline bool is_class(char c, uint8_t wanted) {
    return (character_classes[static_cast<uint8_t>(c)] & wanted) != 0;
}

inline bool all_of_class(std::string_view text, uint8_t wanted) {
    for (char c : text)
        if (!is_class(c, wanted)) return false;
    return true;
}

inline constexpr char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
        if (to_lower(a[i]) != to_lower(b[i])) return false;
    return true;
}

/// Value of a hexadecimal digit; -1 for anything else.
inline int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = to_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace hks::net
