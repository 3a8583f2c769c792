// SPDX-License-Identifier: Apache-2.0
#pragma once
// Installed dependency trees by a key of everything that decides what is in them, so that an unchanged list
// of requirements costs nothing. Bounded by count and age. Build threads.

#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>

namespace hks::build {

class DependencyCache {
  public:
    explicit DependencyCache(std::filesystem::path root, size_t max_trees = 64,
                             std::chrono::hours max_age = std::chrono::hours(24 * 14));

    /// Puts the tree of `key` to `folder`, which must not exist. False when there is none.
    bool restore(const std::string& key, const std::filesystem::path& folder);
    /// Keeps a copy. What cannot be kept is not kept: that is no error.
    void keep(const std::string& key, const std::filesystem::path& folder);

  private:
    void make_room();

    std::filesystem::path root_;
    size_t max_trees_;
    std::chrono::hours max_age_;
    std::mutex mutex_;
};

}  // namespace hks::build
