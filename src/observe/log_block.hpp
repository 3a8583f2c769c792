// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lines of one function that reached the disk together, as one compact blob: a row a block, not a row a line,
// keeps the table small enough to be scanned. Pure.

#include <hks/observe/function_log_store.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace hks::observe {

int64_t to_micros(WallTime time);
WallTime from_micros(int64_t micros);

/// Collects lines in the order of their keys.
class LogBlock {
  public:
    static constexpr size_t max_bytes = 256 * 1024;
    static constexpr int64_t max_span = 5'000'000;  ///< microseconds between the first and the last key

    bool empty() const { return lines_ == 0; }
    /// False when the line belongs into the next block.
    bool fits(const StoredLog& line) const;
    void add(const StoredLog& line);

    int64_t first_key() const { return first_key_; }
    int64_t last_key() const { return last_key_; }
    int64_t min_time() const { return min_time_; }
    int64_t max_time() const { return max_time_; }
    int max_level() const { return max_level_; }
    int64_t lines() const { return lines_; }
    const std::string& data() const { return data_; }

  private:
    std::string data_, last_id_;
    int64_t first_key_ = 0, last_key_ = 0, min_time_ = 0, max_time_ = 0, lines_ = 0;
    int max_level_ = 0;
};

/// The lines of a block; workspace and function are the caller's to fill in. False when the bytes are no
/// block.
bool read_block(std::string_view data, int64_t first_key, std::vector<StoredLog>& out);

/// True when a line fits the query (workspace and function are not looked at).
bool matches(const LogQuery& query, const StoredLog& line);

}  // namespace hks::observe
