// SPDX-License-Identifier: Apache-2.0
#include "tree.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <unistd.h>
#include <vector>

namespace hks::build {
namespace fs = std::filesystem;
namespace {

Error disk_error(const std::string& what, const fs::path& path, const std::error_code& why) {
    const bool full = why == std::errc::no_space_on_device;
    return Error(full ? Errc::storage_full : Errc::provider_error,
                 what + " '" + path.filename().string() + "' failed: " + why.message() +
                     ". Look at the server's disk and deploy again.");
}

}  // namespace

TreeSize measure(const fs::path& folder) {
    TreeSize size;
    std::error_code failure;
    for (fs::recursive_directory_iterator it(folder, failure), end; !failure && it != end;
         it.increment(failure)) {
        std::error_code gone;
        if (it->is_symlink(gone)) {
            ++size.files;
        } else if (it->is_regular_file(gone)) {
            const uintmax_t bytes = it->file_size(gone);
            if (gone) continue;
            ++size.files;
            size.bytes += bytes;
        }
    }
    return size;
}

std::string size_text(uint64_t bytes) {
    static constexpr std::array<const char*, 4> units{"B", "KiB", "MiB", "GiB"};
    auto value = static_cast<double>(bytes);
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

Result<void> clone_tree(const fs::path& from, const fs::path& to) {
    std::error_code failure;
    fs::create_directories(to.parent_path(), failure);
    if (!fs::create_directory(to, failure) || failure) return disk_error("Making the folder", to, failure);
    for (fs::recursive_directory_iterator it(from, failure), end; !failure && it != end;
         it.increment(failure)) {
        const fs::path target = to / it->path().lexically_relative(from);
        if (it->is_symlink(failure)) {
            fs::copy_symlink(it->path(), target, failure);
        } else if (it->is_directory(failure)) {
            fs::create_directory(target, failure);
        } else {
            fs::create_hard_link(it->path(), target, failure);
            if (failure) {
                failure.clear();
                fs::copy_file(it->path(), target, failure);
            }
        }
        if (failure) return disk_error("Copying", it->path(), failure);
    }
    if (failure) return disk_error("Reading", from, failure);
    return {};
}

Result<void> remove_bytecode(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code failure;
    fs::recursive_directory_iterator it(folder, failure), end;
    for (; !failure && it != end; it.increment(failure)) {
        if (it->path().filename() != "__pycache__") continue;
        found.push_back(it->path());
        it.disable_recursion_pending();
    }
    for (const fs::path& path : found) {
        if (failure) break;
        fs::remove_all(path, failure);
    }
    if (failure) return disk_error("Removing the bytecode of", folder, failure);
    return {};
}

Result<void> check_links(const fs::path& folder) {
    std::error_code failure;
    for (fs::recursive_directory_iterator it(folder, failure), end; !failure && it != end;
         it.increment(failure)) {
        if (!it->is_symlink(failure)) continue;
        const fs::path target = fs::read_symlink(it->path(), failure);
        const fs::path place = it->path().lexically_relative(folder).parent_path();
        const fs::path leads_to = (place / target).lexically_normal();
        if (target.is_absolute() || (!leads_to.empty() && *leads_to.begin() == ".."))
            return Error(Errc::build_failed,
                         "A dependency made the link '" + it->path().lexically_relative(folder).string() +
                             "', which leads out of the bundle. Put what it points at into the "
                             "function's folder.");
    }
    if (failure) return disk_error("Reading", folder, failure);
    return {};
}

bool read_file(const fs::path& file, std::string& out) {
    std::error_code failure;
    if (!fs::is_regular_file(fs::symlink_status(file, failure))) return false;
    std::ifstream in(file, std::ios::binary);
    if (!in) return false;
    out.assign(std::istreambuf_iterator<char>(in), {});
    return true;
}

Result<void> write_file(const fs::path& file, std::string_view text) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    if (out) return {};
    return disk_error("Writing", file, std::error_code(errno, std::generic_category()));
}

}  // namespace hks::build
