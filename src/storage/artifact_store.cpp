// SPDX-License-Identifier: Apache-2.0
#include "posix.hpp"
#include "tree.hpp"

#include <hks/storage/artifact_store.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace hks::storage {

namespace fs = std::filesystem;

namespace {

// Above this many files one syncfs() is cheaper than an fsync() each, even with other writers on the disk.
constexpr size_t max_single_syncs = 32;
constexpr std::string_view temporary_prefix = "tmp-";

bool is_digest(std::string_view name) {
    auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return name.size() == 64 && std::all_of(name.begin(), name.end(), is_hex);
}

Result<void> set_mode(const TreeEntry& entry) {
    if (entry.kind == EntryKind::link) return {};
    bool runs = entry.kind == EntryKind::folder || (entry.status.st_mode & 0111) != 0;
    mode_t wanted = runs ? 0755 : 0644;
    if ((entry.status.st_mode & 07777) == wanted) return {};
    if (::fchmodat(entry.parent, entry.name.c_str(), wanted, 0) != 0)
        return posix_error("cannot chmod", entry.path);
    return {};
}

Result<void> sync_entry(const TreeEntry& entry) {
    if (entry.kind == EntryKind::link) return {};  // its folder's fsync covers it
    Descriptor file(::openat(entry.parent, entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file || ::fsync(file.get()) != 0) return posix_error("cannot sync", entry.path);
    return {};
}

Result<void> make_durable(const fs::path& folder, size_t entries) {
    if (entries <= max_single_syncs) return walk_tree(folder, Order::folder_last, sync_entry);
    Descriptor root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root || ::syncfs(root.get()) != 0) return posix_error("cannot sync", folder);
    return {};
}

/// Folders without write permission (archives bring them) would keep their content.
void remove_tree(const fs::path& folder) {
    std::error_code failed;
    fs::remove_all(folder, failed);
    if (!failed) return;
    auto open_up = [](const TreeEntry& entry) -> Result<void> {
        // One that cannot be opened up stays, and remove_all() below leaves it behind.
        if (entry.kind == EntryKind::folder && ::fchmodat(entry.parent, entry.name.c_str(), 0700, 0) != 0)
            return {};
        return {};
    };
    (void)walk_tree(folder, Order::folder_first, open_up);
    fs::remove_all(folder, failed);
}

Result<std::vector<std::string>> names_in(const fs::path& root) {
    std::error_code failed;
    std::vector<std::string> names;
    for (fs::directory_iterator it(root, failed), end; !failed && it != end; it.increment(failed))
        names.push_back(it->path().filename().string());
    if (failed) {
        errno = failed.value();
        return posix_error("cannot list", root);
    }
    return names;
}

}  // namespace

ArtifactStore::ArtifactStore(fs::path root) : root_(std::move(root)) {}

Result<void> ArtifactStore::open() {
    std::error_code failed;
    fs::create_directories(root_, failed);
    if (failed) {
        errno = failed.value();
        return posix_error("cannot make folder", root_);
    }
    auto names = names_in(root_);
    if (!names) return names.error();
    for (const auto& name : *names)
        if (name.starts_with(temporary_prefix)) remove_tree(root_ / name);
    return sync_folder(root_);
}

Result<fs::path> ArtifactStore::make_temporary() {
    std::string path = (root_ / (std::string(temporary_prefix) + "XXXXXX")).string();
    if (::mkdtemp(path.data()) == nullptr) return posix_error("cannot make a folder in", root_);
    return fs::path(path);
}

Result<void> ArtifactStore::commit(const fs::path& temporary, const std::string& digest) {
    if (!is_digest(digest)) return Error(Errc::internal, "'" + digest + "' is not a SHA-256 digest.");
    if (contains(digest)) {
        remove_tree(temporary);
        return {};
    }
    size_t entries = 0;
    auto prepare = [&entries](const TreeEntry& entry) {
        ++entries;
        return set_mode(entry);
    };
    if (auto r = walk_tree(temporary, Order::folder_first, prepare); !r) return r;
    if (auto r = make_durable(temporary, entries); !r) return r;
    if (::rename(temporary.c_str(), path(digest).c_str()) != 0) {
        // Another build of the same content was faster.
        if (errno != ENOTEMPTY && errno != EEXIST) return posix_error("cannot rename to", path(digest));
        remove_tree(temporary);
    }
    return sync_folder(root_);
}

bool ArtifactStore::contains(const std::string& digest) const {
    std::error_code failed;
    return is_digest(digest) && fs::is_directory(fs::symlink_status(path(digest), failed));
}

fs::path ArtifactStore::path(const std::string& digest) const {
    return root_ / digest;
}

Result<int> ArtifactStore::sweep(const std::set<std::string>& keep) {
    auto names = names_in(root_);
    if (!names) return names.error();
    int removed = 0;
    for (const auto& name : *names) {
        if (!is_digest(name) || keep.contains(name)) continue;
        // Renamed first: a crash in the middle must not leave half a bundle under its digest.
        fs::path away = root_ / (std::string(temporary_prefix) + name);
        if (::rename(path(name).c_str(), away.c_str()) != 0) return posix_error("cannot remove", path(name));
        remove_tree(away);
        ++removed;
    }
    return removed;
}

}  // namespace hks::storage
