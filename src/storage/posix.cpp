// SPDX-License-Identifier: Apache-2.0
#include "posix.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace hks::storage {

Error posix_error(std::string_view what, const std::filesystem::path& path) {
    int reason = errno;
    if (reason == ENOSPC || reason == EDQUOT)
        return Error(Errc::storage_full, "The disk is full: " + std::string(what) + " " + path.string() +
                                             ". Free some space and try again.");
    return Error(Errc::provider_error,
                 std::string(what) + " " + path.string() + ": " + std::strerror(reason) + ".");
}

Descriptor::~Descriptor() {
    if (number_ >= 0) ::close(number_);
}

Result<void> sync_folder(const std::filesystem::path& folder) {
    std::filesystem::path path = folder.empty() ? "." : folder;
    Descriptor file(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!file || ::fsync(file.get()) != 0) return posix_error("cannot sync", path);
    return {};
}

}  // namespace hks::storage
