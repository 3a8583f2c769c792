// SPDX-License-Identifier: Apache-2.0
#include "runtime/event_writer.hpp"

#include <hks/core/json_gate.hpp>

#include <algorithm>
#include <limits>

namespace hks::runtime {

std::string to_utf8(std::string_view bytes, Fallback fallback) {
    if (is_utf8(bytes)) return std::string(bytes);
    std::string text;
    text.reserve(bytes.size() * 2);
    for (size_t i = 0; i < bytes.size();) {
        auto const byte = static_cast<unsigned char>(bytes[i]);
        if (byte < 0x80) {
            text += bytes[i++];
            continue;
        }
        if (fallback == Fallback::latin1) {
            text += static_cast<char>(0xc0 | (byte >> 6));
            text += static_cast<char>(0x80 | (byte & 0x3f));
            ++i;
            continue;
        }
        size_t length = std::min<size_t>(4, bytes.size() - i);
        while (length > 0 && !is_utf8(bytes.substr(i, length))) --length;
        if (length == 0) {
            text += "\xef\xbf\xbd";
            ++i;
        } else {
            text += bytes.substr(i, length);
            i += length;
        }
    }
    return text;
}

void MarshalWriter::integer(int64_t value) {
    bool const small =
        value >= std::numeric_limits<int32_t>::min() && value <= std::numeric_limits<int32_t>::max();
    char raw[8];
    std::memcpy(raw, &value, sizeof raw);
    sink_.put(small ? 'i' : 'I');
    sink_.put(std::string_view(raw, small ? 4 : 8));
}

void MarshalWriter::real(double value) {
    char raw[8];
    std::memcpy(raw, &value, sizeof raw);
    sink_.put('g');
    sink_.put(std::string_view(raw, sizeof raw));
}

void MarshalWriter::long_text(std::string_view value, Fallback fallback) {
    if (is_ascii(value)) {
        sink_.put('a');
        put_u32(static_cast<uint32_t>(value.size()));
        sink_.put(value);
        return;
    }
    std::string const text = to_utf8(value, fallback);
    sink_.put('u');
    put_u32(static_cast<uint32_t>(text.size()));
    sink_.put(text);
}

void JsonWriter::escaped(std::string_view value, Fallback fallback) {
    static constexpr char digits[] = "0123456789abcdef";
    sink_.put('"');
    for (char const c : is_ascii(value) ? std::string(value) : to_utf8(value, fallback)) {
        if (c == '"' || c == '\\') {
            sink_.put('\\');
            sink_.put(c);
        } else if (static_cast<unsigned char>(c) < 0x20) {
            sink_.put("\\u00");
            sink_.put(digits[static_cast<unsigned char>(c) >> 4]);
            sink_.put(digits[static_cast<unsigned char>(c) & 15]);
        } else {
            sink_.put(c);
        }
    }
    sink_.put('"');
}

}  // namespace hks::runtime
