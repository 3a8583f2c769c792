// SPDX-License-Identifier: Apache-2.0
#include <hks/core/base64.hpp>

#include <array>
#include <cstdint>

namespace hks {
namespace {

constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t no_value = 0xff;

constexpr auto values = [] {
    std::array<uint8_t, 256> table{};
    table.fill(no_value);
    for (uint8_t i = 0; i < 64; ++i) table[static_cast<uint8_t>(alphabet[i])] = i;
    return table;
}();

/// Four characters → 24 bits; anything above 24 bits means a character that is not in the alphabet.
uint32_t group(std::string_view text, size_t i) {
    uint32_t bits = 0;
    uint32_t bad = 0;
    for (size_t k = 0; k < 4; ++k) {
        const uint8_t value = values[static_cast<uint8_t>(text[i + k])];
        bad |= value & 0x80u;
        bits = bits << 6 | (value & 63u);
    }
    return bits | bad << 24;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4, '=');
    char* to = out.data();
    const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])); };
    size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3, to += 4) {
        const uint32_t bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        to[0] = alphabet[bits >> 18];
        to[1] = alphabet[bits >> 12 & 63];
        to[2] = alphabet[bits >> 6 & 63];
        to[3] = alphabet[bits & 63];
    }
    const size_t rest = bytes.size() - i;
    if (rest > 0) {
        const uint32_t bits = byte(i) << 16 | (rest == 2 ? byte(i + 1) << 8 : 0);
        to[0] = alphabet[bits >> 18];
        to[1] = alphabet[bits >> 12 & 63];
        if (rest == 2) to[2] = alphabet[bits >> 6 & 63];
    }
    return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    if (text.empty()) return std::string();
    const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    std::string out(text.size() / 4 * 3, '\0');
    char* to = out.data();
    const size_t whole = text.size() - (padding ? 4 : 0);
    for (size_t i = 0; i < whole; i += 4, to += 3) {
        const uint32_t bits = group(text, i);
        if (bits >> 24) return std::nullopt;
        to[0] = static_cast<char>(bits >> 16);
        to[1] = static_cast<char>(bits >> 8);
        to[2] = static_cast<char>(bits);
    }
    if (padding) {
        std::string last(text.substr(whole, 4 - padding));
        last.append(padding, 'A');
        const uint32_t bits = group(last, 0);
        // Bits that the padding cuts off must be zero, so that bytes have one spelling only.
        if (bits >> 24 || (bits & (padding == 2 ? 0xffffu : 0xffu))) return std::nullopt;
        to[0] = static_cast<char>(bits >> 16);
        if (padding == 1) to[1] = static_cast<char>(bits >> 8);
        out.resize(out.size() - padding);
    }
    return out;
}

}  // namespace hks
