// SPDX-License-Identifier: Apache-2.0
#include "process/line_splitter.hpp"

#include <hks/core/json_gate.hpp>

#include <algorithm>

namespace hks::runtime {

namespace {

/// Length of the well-formed sequence at the front, 0 when there is none.
size_t sequence_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
    if (length == 0 || length > text.size()) return 0;
    return length == 1 || is_utf8(text.substr(0, length)) ? length : 0;
}

}  // namespace

std::string to_utf8(std::string_view text) {
    if (is_utf8(text)) return std::string(text);
    std::string out;
    out.reserve(text.size() + 16);
    while (!text.empty()) {
        const size_t length = sequence_length(text);
        if (length == 0) {
            out += "\xef\xbf\xbd";
            text.remove_prefix(1);
        } else {
            out += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return out;
}

bool LogGate::admit(size_t bytes, SteadyTime now, uint64_t& dropped) {
    const double seconds = last_ == SteadyTime{} ? 0 : std::chrono::duration<double>(now - last_).count();
    last_ = now;
    lines_ = std::min(burst_lines, lines_ + seconds * lines_per_second);
    bytes_ = std::min(burst_bytes, bytes_ + seconds * bytes_per_second);
    // After a drop the door opens again only for a good handful: one note a flood, not one a line.
    const double wanted_lines = dropped_ > 0 ? 200 : 1;
    const double wanted_bytes = static_cast<double>(bytes) + (dropped_ > 0 ? 256.0 * 1024 : 0);
    if (lines_ < wanted_lines || bytes_ < wanted_bytes) {
        dropped_++;
        return false;
    }
    lines_ -= 1;
    bytes_ -= static_cast<double>(bytes);
    dropped = dropped_;
    dropped_ = 0;
    return true;
}

}  // namespace hks::runtime
