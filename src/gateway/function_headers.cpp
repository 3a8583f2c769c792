// SPDX-License-Identifier: Apache-2.0
#include "function_headers.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace hks::gateway {
namespace {

enum : uint8_t { token = 1, text = 2 };

/// RFC 9110: token characters for names; no control character but TAB in values.
constexpr auto kinds = [] {
    std::array<uint8_t, 256> out{};
    for (int c = 0x20; c < 256; ++c)
        if (c != 0x7f) out[static_cast<size_t>(c)] = text;
    out['\t'] = text;
    for (char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        out[static_cast<uint8_t>(c)] |= token;
    return out;
}();

bool all_are(std::string_view characters, uint8_t kind) {
    uint8_t common = 0xff;
    for (char c : characters) common &= kinds[static_cast<uint8_t>(c)];
    return (common & kind) != 0;
}

/// `lower` is lower case already.
bool same(std::string_view name, std::string_view lower) {
    if (name.size() != lower.size()) return false;
    for (size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != lower[i]) return false;
    }
    return true;
}

bool is_the_platforms(std::string_view name) {
    switch (name.size()) {
        case 2:
            return same(name, "te");
        case 4:
            return same(name, "date");
        case 7:
            return same(name, "trailer") || same(name, "upgrade");
        case 10:
            return same(name, "connection") || same(name, "keep-alive");
        case 14:
            return same(name, "content-length");
        case 16:
            return same(name, "proxy-connection");
        case 17:
            return same(name, "transfer-encoding");
        case 19:
            return same(name, "proxy-authorization");
        case 18:
            return same(name, "proxy-authenticate");
        default:
            break;
    }
    return false;
}

bool is_reserved(std::string_view name) {
    return name.size() >= 6 && same(name.substr(0, 6), "x-hks-");
}

std::string_view trimmed(std::string_view value) {
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    return value;
}

int64_t microseconds(SteadyTime from, SteadyTime to) {
    return std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::microseconds>(to - from).count());
}

}  // namespace

bool append_function_headers(std::string& out, std::string_view block, std::string_view& why) {
    while (!block.empty()) {
        const size_t end = block.find('\n');
        if (end == std::string_view::npos) return why = "a header line has no end", false;
        const std::string_view line = block.substr(0, end);
        block.remove_prefix(end + 1);
        const size_t colon = line.find(':');
        if (colon == std::string_view::npos || colon == 0) return why = "a header has no name", false;
        const std::string_view name = line.substr(0, colon);
        if (!all_are(name, token)) return why = "a header's name has a character that is not allowed", false;
        const std::string_view value = trimmed(line.substr(colon + 1));
        if (!all_are(value, text)) return why = "a header's value has a control character", false;
        if (is_the_platforms(name) || is_reserved(name)) continue;
        out.append(name).append(": ", 2).append(value).append("\r\n", 2);
    }
    return true;
}

uint64_t content_length_of(std::string_view block) {
    while (!block.empty()) {
        const size_t end = std::min(block.find('\n'), block.size());
        const std::string_view line = block.substr(0, end);
        block.remove_prefix(std::min(end + 1, block.size()));
        const size_t colon = line.find(':');
        if (colon == std::string_view::npos || !same(line.substr(0, colon), "content-length")) continue;
        const std::string_view value = trimmed(line.substr(colon + 1));
        uint64_t length = 0;
        const auto [last, error] = std::from_chars(value.data(), value.data() + value.size(), length);
        return error == std::errc() && last == value.data() + value.size() ? length : 0;
    }
    return 0;
}

void append_milliseconds(std::string& out, int64_t us) {
    if (us == 0) {
        out += '0';
        return;
    }
    std::array<char, 24> digits;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), us / 1000);
    out.append(digits.data(), end);
    const auto rest = static_cast<int>(us % 1000);
    const std::array<char, 4> decimals{'.', static_cast<char>('0' + rest / 100),
                                       static_cast<char>('0' + rest / 10 % 10),
                                       static_cast<char>('0' + rest % 10)};
    out.append(decimals.data(), decimals.size());
}

void append_platform_headers(std::string& out, const Call& call, std::string_view version_line) {
    const CallTimes& times = call.times;
    // A call that was never sent waited until it failed.
    const bool was_sent = times.sent != SteadyTime();
    const int64_t waited = microseconds(times.queued, was_sent ? times.sent : times.answered);
    out.append("X-Hks-Invocation-Id: ").append(call.id.text()).append("\r\n", 2).append(version_line);
    out.append(call.cold_start ? "X-Hks-Cold-Start: true\r\nServer-Timing: queue;dur="
                               : "X-Hks-Cold-Start: false\r\nServer-Timing: queue;dur=");
    append_milliseconds(out, call.cold_start ? 0 : waited);
    out.append(", start;dur=");
    append_milliseconds(out, call.cold_start ? waited : 0);
    out.append(", run;dur=");
    append_milliseconds(out, was_sent ? microseconds(times.sent, times.answered) : 0);
    out.append("\r\n", 2);
}

}  // namespace hks::gateway
