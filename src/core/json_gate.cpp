// SPDX-License-Identifier: Apache-2.0
#include "utf8.hpp"

#include <hks/core/json_gate.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <cstring>

namespace hks {
namespace {

constexpr uint64_t ones = 0x0101010101010101ull;
constexpr uint64_t highs = 0x8080808080808080ull;

uint64_t load(const char* at) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

/// Not zero when one of the eight bytes is `c`. (May also mark a byte above a real match, never without one.)
constexpr uint64_t has(uint64_t word, char c) {
    const uint64_t x = word ^ (ones * static_cast<uint8_t>(c));
    return (x - ones) & ~x & highs;
}

/// From just behind an opening quote to just behind the closing one.
const char* skip_string(const char* at, const char* end) {
    while (at < end) {
        while (end - at >= 8) {
            const uint64_t word = load(at);
            if (has(word, '"') | has(word, '\\')) break;
            at += 8;
        }
        while (at < end && *at != '"' && *at != '\\') ++at;
        if (at >= end) return end;
        if (*at == '"') return at + 1;
        at += 2;
    }
    return end;
}

enum class Class : uint8_t { other, open, close, quote };

constexpr auto classes = [] {
    std::array<Class, 256> table{};
    table['{'] = table['['] = Class::open;
    table['}'] = table[']'] = Class::close;
    table['"'] = Class::quote;
    return table;
}();

}  // namespace

int json_depth(std::string_view text, int limit) {
    const char* at = text.data();
    const char* const end = at + text.size();
    int depth = 0;
    int deepest = 0;
    while (at < end) {
        switch (classes[static_cast<uint8_t>(*at++)]) {
            case Class::other:
                break;
            case Class::open:
                if (++depth > deepest) deepest = depth;
                if (deepest > limit) return deepest;
                break;
            case Class::close:
                // A text that closes too often is not JSON: the parser says so. It must not hide depth that
                // follows.
                if (depth > 0) --depth;
                break;
            case Class::quote:
                at = skip_string(at, end);
                break;
        }
    }
    return deepest;
}

Result<nlohmann::json> parse_json(std::string_view text) {
    if (json_depth(text) > max_json_depth)
        return Error(Errc::validation_error, "The JSON text is nested deeper than " +
                                                 std::to_string(max_json_depth) + " levels. Flatten it.");
    try {
        return nlohmann::json::parse(text.begin(), text.end());
    } catch (const nlohmann::json::parse_error& e) {
        return Error(Errc::validation_error, "The text is not valid JSON at byte " + std::to_string(e.byte) +
                                                 ". Check quotes, commas and brackets there.");
    } catch (const nlohmann::json::exception&) {
        return Error(Errc::validation_error,
                     "The JSON text has a number that is out of range. Write it as a string.");
    }
}

bool is_utf8(std::string_view text) {
    size_t i = 0;
    while (i < text.size()) {
        while (i + 8 <= text.size() && (load(text.data() + i) & highs) == 0) i += 8;
        while (i < text.size() && static_cast<uint8_t>(text[i]) < 0x80) {
            ++i;
            if ((i & 7) == 0) break;  // back to the wide loop
        }
        if (i >= text.size() || static_cast<uint8_t>(text[i]) < 0x80) continue;
        const size_t length = utf8_sequence(text, i);
        if (length == 0) return false;
        i += length;
    }
    return true;
}

}  // namespace hks
