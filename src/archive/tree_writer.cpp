// SPDX-License-Identifier: Apache-2.0
#include "tree_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace hks::archive {
namespace fs = std::filesystem;
namespace {

constexpr int folder_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

}  // namespace

Result<void> TreeWriter::open(const fs::path& folder) {
    std::error_code failure;
    if (!fs::is_empty(folder, failure) || failure)
        return Error(Errc::internal,
                     "'" + folder.string() + "' is not an empty folder. Unpack into a new one.");
    root_path_ = folder;
    root_.reset(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    parent_.reset(root_ ? ::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0) : -1);
    if (!parent_)
        return Error(Errc::provider_error, "Opening '" + folder.string() +
                                               "' failed: " + std::strerror(errno) +
                                               ". Look at the rights of the data directory.");
    return {};
}

TreeWriter::Outcome TreeWriter::failed(int error) {
    Outcome outcome;
    if (error == ELOOP || error == ENOTDIR) {
        outcome.refusal = "leads through a link or a file";
    } else if (error == EISDIR || error == EEXIST) {
        outcome.refusal = "is there twice, as a folder and as something else";
    } else if (error == ENAMETOOLONG) {
        outcome.refusal = "is too long";
    } else {
        outcome.error = std::strerror(error);
        outcome.full = error == ENOSPC || error == EDQUOT;
    }
    return outcome;
}

/// Makes parent_ the folder of the first `count` components.
TreeWriter::Outcome TreeWriter::enter(const Path& path, size_t count, bool create) {
    if (parent_path_.size() == count && std::equal(parent_path_.begin(), parent_path_.end(), path.begin()))
        return {};
    FileDescriptor at(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
    for (size_t i = 0; i < count; ++i) {
        const char* name = path[i].c_str();
        FileDescriptor next(::openat(at.get(), name, folder_flags));
        if (!next && errno == ENOENT && create) {
            if (::mkdirat(at.get(), name, 0755) != 0) return failed(errno);
            ++made_folders_;
            next.reset(::openat(at.get(), name, folder_flags));
            if (next && ::fchmod(next.get(), 0755) != 0) return failed(errno);
        }
        if (!next) return failed(errno);
        at = std::move(next);
    }
    if (!at) return failed(errno);
    parent_ = std::move(at);
    parent_path_.assign(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(count));
    return {};
}

TreeWriter::Outcome TreeWriter::folder(const Path& path) {
    const size_t before = made_folders_;
    Outcome outcome = enter(path, path.size(), true);
    // The entry itself is counted by the caller.
    if (made_folders_ > before) --made_folders_;
    return outcome;
}

/// What has this name already goes, unless it is a folder.
TreeWriter::Outcome TreeWriter::make_room(const std::string& name) {
    if (::unlinkat(parent_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
    return failed(errno == EPERM ? EISDIR : errno);
}

TreeWriter::Outcome TreeWriter::file(const Path& path, bool executable, FileDescriptor& out) {
    if (auto entered = enter(path, path.size() - 1, true); !entered.good()) return entered;
    if (auto free = make_room(path.back()); !free.good()) return free;
    out.reset(::openat(parent_.get(), path.back().c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!out || ::fchmod(out.get(), executable ? 0755 : 0644) != 0) return failed(errno);
    return {};
}

TreeWriter::Outcome TreeWriter::link(const Path& path, const std::string& target) {
    if (auto entered = enter(path, path.size() - 1, true); !entered.good()) return entered;
    if (auto free = make_room(path.back()); !free.good()) return free;
    if (::symlinkat(target.c_str(), parent_.get(), path.back().c_str()) != 0) return failed(errno);
    return {};
}

TreeWriter::Outcome TreeWriter::hard_link(const Path& path, const Path& target) {
    Outcome missing;
    missing.refusal = "is a hard link to something that is not a file of the archive before it";
    if (path == target || !enter(target, target.size() - 1, false).good()) return missing;
    const FileDescriptor source(
        ::openat(parent_.get(), target.back().c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (!source || ::fstat(source.get(), &info) != 0 || !S_ISREG(info.st_mode)) return missing;
    const FileDescriptor from(::fcntl(parent_.get(), F_DUPFD_CLOEXEC, 0));
    if (auto entered = enter(path, path.size() - 1, true); !entered.good()) return entered;
    if (auto free = make_room(path.back()); !free.good()) return free;
    if (::linkat(from.get(), target.back().c_str(), parent_.get(), path.back().c_str(), 0) != 0)
        return failed(errno);
    return {};
}

TreeWriter::Outcome TreeWriter::append(const FileDescriptor& file, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed(errno);
        bytes.remove_prefix(static_cast<size_t>(n));
    }
    return {};
}

void TreeWriter::clear() {
    std::vector<fs::path> children;
    std::error_code failure;
    for (fs::directory_iterator it(root_path_, failure), end; !failure && it != end; it.increment(failure))
        children.push_back(it->path());
    for (const fs::path& child : children) fs::remove_all(child, failure);
}

}  // namespace hks::archive
