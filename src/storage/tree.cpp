// SPDX-License-Identifier: Apache-2.0
#include "tree.hpp"

#include "posix.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

namespace hks::storage {

namespace {

constexpr int max_depth = 200;  // one descriptor a level

class Walk {
  public:
    Walk(const std::filesystem::path& root, Order order,
         const std::function<Result<void>(const TreeEntry&)>& visit)
        : root_(root), order_(order), visit_(visit) {}

    Result<void> folder(int descriptor, TreeEntry entry, int depth) {
        if (depth > max_depth)
            return Error(Errc::validation_error, "Folders are nested deeper than " +
                                                     std::to_string(max_depth) + " in " + root_.string() +
                                                     "/" + entry.path + ".");
        if (order_ == Order::folder_first)
            if (auto r = visit_(entry); !r) return r;
        auto names = list(descriptor, entry.path);
        if (!names) return names.error();
        for (const auto& name : *names) {
            std::string path = entry.path.empty() ? name : entry.path + "/" + name;
            if (auto r = child(descriptor, name, path, depth); !r) return r;
        }
        return order_ == Order::folder_last ? visit_(entry) : Result<void>{};
    }

  private:
    Result<std::vector<std::string>> list(int descriptor, const std::string& path) {
        int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
        DIR* stream = copy < 0 ? nullptr : ::fdopendir(copy);
        if (stream == nullptr) {
            Error failure = posix_error("cannot list", root_ / path);
            if (copy >= 0) ::close(copy);
            return failure;
        }
        std::vector<std::string> names;
        errno = 0;
        while (auto* entry = ::readdir(stream)) {
            std::string_view name = entry->d_name;
            if (name != "." && name != "..") names.emplace_back(name);
        }
        int reason = errno;
        ::closedir(stream);
        errno = reason;
        if (reason != 0) return posix_error("cannot list", root_ / path);
        std::sort(names.begin(), names.end());
        return names;
    }

    Result<void> child(int parent, const std::string& name, const std::string& path, int depth) {
        TreeEntry entry{parent, name, path, EntryKind::file, {}};
        if (::fstatat(parent, name.c_str(), &entry.status, AT_SYMLINK_NOFOLLOW) != 0)
            return posix_error("cannot read", root_ / path);
        if (S_ISDIR(entry.status.st_mode)) {
            entry.kind = EntryKind::folder;
            Descriptor below(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            if (!below) return posix_error("cannot open", root_ / path);
            return folder(below.get(), std::move(entry), depth + 1);
        }
        if (S_ISLNK(entry.status.st_mode))
            entry.kind = EntryKind::link;
        else if (!S_ISREG(entry.status.st_mode))
            return Error(Errc::validation_error,
                         "'" + path + "' is a device, socket or pipe. Remove it and try again.");
        return visit_(entry);
    }

    const std::filesystem::path& root_;
    Order order_;
    const std::function<Result<void>(const TreeEntry&)>& visit_;
};

}  // namespace

Result<void> walk_tree(const std::filesystem::path& folder, Order order,
                       const std::function<Result<void>(const TreeEntry&)>& visit) {
    Descriptor root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    TreeEntry entry{root.get(), ".", "", EntryKind::folder, {}};
    if (!root || ::fstat(root.get(), &entry.status) != 0) return posix_error("cannot open folder", folder);
    return Walk(folder, order, visit).folder(root.get(), std::move(entry), 0);
}

}  // namespace hks::storage
