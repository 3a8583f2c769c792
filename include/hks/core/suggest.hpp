// SPDX-License-Identifier: Apache-2.0
#pragma once
// "Did you mean …?" for names that people type. Pure.

#include <span>
#include <string>
#include <string_view>

namespace hks {

/// The candidate with the fewest edits (insert, delete, replace, swap of neighbours) from `word`; empty when
/// none is near enough to be a slip: at most a third of the word's length, and three edits.
std::string_view closest_name(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace hks
