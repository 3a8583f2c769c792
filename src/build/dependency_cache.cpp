// SPDX-License-Identifier: Apache-2.0
#include "dependency_cache.hpp"

#include "tree.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace hks::build {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view unfinished = ".new";

}  // namespace

DependencyCache::DependencyCache(fs::path root, size_t max_trees, std::chrono::hours max_age)
    : root_(std::move(root)), max_trees_(max_trees), max_age_(max_age) {}

bool DependencyCache::restore(const std::string& key, const fs::path& folder) {
    std::lock_guard lock(mutex_);
    std::error_code failure;
    const fs::path kept = root_ / key;
    if (!fs::is_directory(kept, failure)) return false;
    if (!clone_tree(kept, folder)) {
        fs::remove_all(folder, failure);
        return false;
    }
    fs::last_write_time(kept, fs::file_time_type::clock::now(), failure);
    return true;
}

void DependencyCache::keep(const std::string& key, const fs::path& folder) {
    std::lock_guard lock(mutex_);
    std::error_code failure;
    if (fs::exists(root_ / key, failure)) return;
    const fs::path growing = root_ / (key + std::string(unfinished));
    fs::remove_all(growing, failure);
    if (!clone_tree(folder, growing)) {
        fs::remove_all(growing, failure);
        return;
    }
    fs::rename(growing, root_ / key, failure);
    fs::last_write_time(root_ / key, fs::file_time_type::clock::now(), failure);
    make_room();
}

void DependencyCache::make_room() {
    std::vector<std::pair<fs::file_time_type, fs::path>> trees;
    std::error_code failure;
    for (fs::directory_iterator it(root_, failure), end; !failure && it != end; it.increment(failure)) {
        std::error_code gone;
        const auto used = it->last_write_time(gone);
        trees.emplace_back(it->path().extension() == unfinished ? fs::file_time_type::min() : used,
                           it->path());
    }
    std::sort(trees.rbegin(), trees.rend());
    const auto oldest = fs::file_time_type::clock::now() - max_age_;
    for (size_t i = 0; i < trees.size(); ++i)
        if (i >= max_trees_ || trees[i].first < oldest) fs::remove_all(trees[i].second, failure);
}

}  // namespace hks::build
