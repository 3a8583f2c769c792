// SPDX-License-Identifier: Apache-2.0
#pragma once
// The folder that a server keeps everything in, and the lock that keeps a second server out of it. Held for
// the server's life; the lock goes with the process, however it ends. Blocking, before the loop runs.

#include <hks/core/error.hpp>

#include <filesystem>
#include <string>

namespace hks::app {

class DataDirectory {
  public:
    explicit DataDirectory(std::string path) : path_(std::move(path)) {}
    ~DataDirectory();
    DataDirectory(const DataDirectory&) = delete;
    DataDirectory& operator=(const DataDirectory&) = delete;

    /// Makes the folder (mode 0700) when it is absent and takes the lock. CONFLICT names the server that has
    /// it.
    Result<void> open();
    std::string path(const std::string& name) const { return path_ + "/" + name; }
    const std::string& root() const { return path_; }

    /// What {root}/admin-token holds; "" when there is no such file.
    Result<std::string> read_admin_token() const;
    /// Writes {root}/admin-token, mode 0600, all or nothing.
    Result<void> write_admin_token(const std::string& token) const;

  private:
    std::string path_;
    int lock_ = -1;
};

}  // namespace hks::app
