// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes below one folder and nowhere else: every step is an openat() that does not follow links, relative to
// the folder's own descriptor. Entries that come twice replace each other; nothing is ever written through
// what is there.

#include "handles.hpp"

#include <hks/core/error.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace hks::archive {

class TreeWriter {
  public:
    using Path = std::vector<std::string>;  ///< components as split_name() gives them

    struct Outcome {
        std::string refusal;  ///< what is wrong with the entry
        std::string error;    ///< what is wrong with the disk
        bool full = false;
        bool good() const { return refusal.empty() && error.empty(); }
    };

    /// The folder must exist and be empty.
    Result<void> open(const std::filesystem::path& folder);

    Outcome folder(const Path& path);
    Outcome file(const Path& path, bool executable, FileDescriptor& out);
    Outcome link(const Path& path, const std::string& target);
    Outcome hard_link(const Path& path, const Path& target);
    static Outcome append(const FileDescriptor& file, std::string_view bytes);

    /// Folders made on the way since the last question.
    size_t take_made_folders() { return std::exchange(made_folders_, 0); }
    /// Removes everything below the folder.
    void clear();

  private:
    static Outcome failed(int error);
    Outcome enter(const Path& path, size_t count, bool create);
    Outcome make_room(const std::string& name);

    std::filesystem::path root_path_;
    FileDescriptor root_;
    FileDescriptor parent_;  ///< of parent_path_; entries mostly come folder by folder
    Path parent_path_;
    size_t made_folders_ = 0;
};

}  // namespace hks::archive
