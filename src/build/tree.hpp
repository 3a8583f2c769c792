// SPDX-License-Identifier: Apache-2.0
#pragma once
// Chores with whole folders. Links are never followed. Blocking.

#include <hks/core/error.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

namespace hks::build {

struct TreeSize {
    size_t files = 0;
    uint64_t bytes = 0;
};
/// What can be counted; a tree that changes meanwhile is no error.
TreeSize measure(const std::filesystem::path& folder);
std::string size_text(uint64_t bytes);  ///< "1.2 KiB"

/// The same tree again at `to`, which must not exist: files are hard links where that works, else copies.
/// Only for trees that nobody writes to.
Result<void> clone_tree(const std::filesystem::path& from, const std::filesystem::path& to);

/// Removes every __pycache__. They do not count in the digest, so what an archive or a package brings of them
/// could otherwise run in place of the code that the digest stands for.
Result<void> remove_bytecode(const std::filesystem::path& folder);

/// A link that package managers made and that leads out of `folder` is BUILD_FAILED.
Result<void> check_links(const std::filesystem::path& folder);

bool read_file(const std::filesystem::path& file, std::string& out);
Result<void> write_file(const std::filesystem::path& file, std::string_view text);

}  // namespace hks::build
