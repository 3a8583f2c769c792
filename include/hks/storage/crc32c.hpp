// SPDX-License-Identifier: Apache-2.0
#pragma once
// CRC32C (Castagnoli) of a row's meaningful columns, kept in the row and checked when it is read: the
// database's own integrity check misses most flipped bits. Pure.

#include <hks/core/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace hks::storage {

uint32_t crc32c(std::string_view bytes, uint32_t before = 0);

/// Sums columns in the order in which they are added; a text counts with its length.
class RowSum {
  public:
    RowSum& add(int64_t value);
    RowSum& add(int value) { return add(static_cast<int64_t>(value)); }
    RowSum& add(std::string_view text);
    RowSum& add(const char* text) { return add(std::string_view(text)); }
    int64_t value() const { return sum_; }

  private:
    uint32_t sum_ = 0;
};

/// What a reader answers when the sums differ.
Error damaged_row(std::string_view table, std::string_view key, const std::string& database_path);

}  // namespace hks::storage
