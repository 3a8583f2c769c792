// SPDX-License-Identifier: Apache-2.0
#pragma once
// Walks a folder tree by descriptors, never through a link: a name that changes under the walk cannot lead
// outside. Blocking.

#include <hks/core/error.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <sys/stat.h>

namespace hks::storage {

enum class EntryKind { folder, file, link };

struct TreeEntry {
    int parent;        ///< descriptor of the folder that holds it
    std::string name;  ///< within `parent`; "." for the root
    std::string path;  ///< relative to the root; "" for the root
    EntryKind kind;
    struct stat status;
};

enum class Order { folder_first, folder_last };

/// Calls `visit` for everything below `folder` and the folder itself, names sorted bytewise within each
/// folder. Devices, sockets and pipes are VALIDATION_ERROR. The first error ends the walk.
Result<void> walk_tree(const std::filesystem::path& folder, Order order,
                       const std::function<Result<void>(const TreeEntry&)>& visit);

}  // namespace hks::storage
