// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bytes of a pipe → lines of text, bounded in length; and how many lines an instance may write. Pure.

#include <hks/core/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hks::runtime {

inline constexpr size_t max_log_line = 64 * 1024;

/// `text` with every byte that is not UTF-8 replaced by U+FFFD.
std::string to_utf8(std::string_view text);

class LineSplitter {
  public:
    /// Calls `line(std::string_view)` for every whole line; a longer one is cut into pieces of max_log_line.
    template <class F>
    void feed(std::string_view bytes, F&& line) {
        while (!bytes.empty()) {
            const size_t newline = bytes.find('\n');
            const size_t room = max_log_line - partial_.size();
            const size_t length = newline == std::string_view::npos ? bytes.size() : newline;
            if (length > room) {
                partial_.append(bytes.substr(0, room));
                bytes.remove_prefix(room);
                flush(line);
                continue;
            }
            partial_.append(bytes.substr(0, length));
            bytes.remove_prefix(newline == std::string_view::npos ? length : length + 1);
            if (newline != std::string_view::npos) emit(line);
        }
    }
    /// What is there without a newline, if anything.
    template <class F>
    void flush(F&& line) {
        if (!partial_.empty()) emit(line);
    }
    bool pending() const { return !partial_.empty(); }

  private:
    template <class F>
    void emit(F&& line) {
        std::string_view text = partial_;
        if (text.ends_with('\r')) text.remove_suffix(1);
        line(text);
        partial_.clear();
    }

    std::string partial_;
};

/// A token bucket for lines and bytes. Lines over it are counted, not kept.
class LogGate {
  public:
    static constexpr double burst_lines = 20'000, lines_per_second = 2'000;
    static constexpr double burst_bytes = 16.0 * 1024 * 1024, bytes_per_second = 2.0 * 1024 * 1024;

    /// False: drop it. `dropped` becomes how many were dropped before this one that is kept, to be told once.
    bool admit(size_t bytes, SteadyTime now, uint64_t& dropped);

  private:
    double lines_ = burst_lines, bytes_ = burst_bytes;
    SteadyTime last_{};
    uint64_t dropped_ = 0;
};

}  // namespace hks::runtime
