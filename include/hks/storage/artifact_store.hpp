// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bundles on disk: each a folder {root}/{digest}/ that never changes, made as {root}/tmp-…/, synced, renamed.
// Blocking; any thread.

#include <hks/core/error.hpp>

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

namespace hks::storage {

/// SHA-256, 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);
/// Digest of a folder: sorted relative paths, kinds, executable bits, link targets and contents; times and
/// owners do not count, nor do __pycache__ folders.
Result<std::string> digest_tree(const std::filesystem::path& folder);

class ArtifactStore {
  public:
    explicit ArtifactStore(std::filesystem::path root);

    /// Makes the root; removes tmp-… folders that a crash left.
    Result<void> open();
    /// A new empty folder inside the root, to be filled and given to commit() (or remove()d by the caller).
    Result<std::filesystem::path> make_temporary();
    /// Syncs every file, renames to {digest}. Already there: the temporary one is removed. Files and folders
    /// end up readable by everyone and writable by nobody but the owner.
    Result<void> commit(const std::filesystem::path& temporary, const std::string& digest);
    bool contains(const std::string& digest) const;
    std::filesystem::path path(const std::string& digest) const;
    /// Removes every bundle whose digest is not in `keep`; returns how many went.
    Result<int> sweep(const std::set<std::string>& keep);

  private:
    std::filesystem::path root_;
};

}  // namespace hks::storage
