// SPDX-License-Identifier: Apache-2.0
#pragma once
// One step of strict UTF-8 decoding (RFC 3629), shared by the checker and the JSON writer.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hks {

/// Bytes of the well-formed sequence that starts at text[i] (which is not ASCII): 2, 3 or 4; 0 when it is not
/// well-formed.
inline size_t utf8_sequence(std::string_view text, size_t i) {
    const auto byte = [&](size_t n) { return static_cast<uint8_t>(text[i + n]); };
    const auto follows = [&](size_t n, uint8_t low = 0x80, uint8_t high = 0xbf) {
        return i + n < text.size() && byte(n) >= low && byte(n) <= high;
    };
    const uint8_t first = byte(0);
    if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const uint8_t low = first == 0xe0 ? 0xa0 : 0x80;   // no overlong forms
        const uint8_t high = first == 0xed ? 0x9f : 0xbf;  // no surrogates
        return follows(1, low, high) && follows(2) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const uint8_t low = first == 0xf0 ? 0x90 : 0x80;
        const uint8_t high = first == 0xf4 ? 0x8f : 0xbf;  // nothing above U+10FFFF
        return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

}  // namespace hks
