// SPDX-License-Identifier: Apache-2.0
#pragma once
// The few system calls that storage needs, with errors that name the file. Blocking.

#include <hks/core/error.hpp>

#include <filesystem>
#include <string_view>
#include <utility>

namespace hks::storage {

/// From errno: storage_full when there is no space left, provider_error otherwise.
Error posix_error(std::string_view what, const std::filesystem::path& path);
/// fsync of a folder, so that a name made or changed in it survives power loss. "" = the working folder.
Result<void> sync_folder(const std::filesystem::path& folder);

/// A descriptor that closes itself.
class Descriptor {
  public:
    explicit Descriptor(int number = -1) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor();
    int get() const { return number_; }
    int release() { return std::exchange(number_, -1); }
    explicit operator bool() const { return number_ >= 0; }

  private:
    int number_;
};

}  // namespace hks::storage
