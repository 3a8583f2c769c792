// SPDX-License-Identifier: Apache-2.0
#include "utf8.hpp"

#include <hks/core/json_text.hpp>

namespace hks {
namespace {

void append_escape(std::string& out, unsigned char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        case '\t':
            out += "\\t";
            return;
        case '\b':
            out += "\\b";
            return;
        case '\f':
            out += "\\f";
            return;
        default:
            break;
    }
    constexpr char hex[] = "0123456789abcdef";
    out += "\\u00";
    out += hex[c >> 4];
    out += hex[c & 15];
}

bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    size_t begin = 0;  // of what can be copied as it is
    size_t i = 0;
    const auto flush = [&] { out.append(text, begin, i - begin); };
    while (i < text.size()) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (is_plain(c)) {
            ++i;
            continue;
        }
        const size_t length = c < 0x80 ? 0 : utf8_sequence(text, i);
        // C1 controls (U+0080 … U+009F) and the line separators U+2028, U+2029 act as line ends in some
        // readers.
        const bool c1 = length == 2 && c == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        const bool separator =
            length == 3 && (text.substr(i, 3) == "\xe2\x80\xa8" || text.substr(i, 3) == "\xe2\x80\xa9");
        if (length && !c1 && !separator) {
            i += length;
            continue;
        }
        flush();
        if (separator) {
            out += text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
        } else if (c1) {
            append_escape(out, static_cast<unsigned char>(text[i + 1]));
        } else if (c < 0x80) {
            append_escape(out, c);
        } else {
            out += "\xef\xbf\xbd";
        }
        i += length ? length : 1;
        begin = i;
    }
    flush();
    out += '"';
}

}  // namespace hks
