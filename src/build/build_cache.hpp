// SPDX-License-Identifier: Apache-2.0
#pragma once
// What need not be done again: source key → bundle, and smoke loads that passed. Rows in the log database:
// losing them costs a rebuild, nothing else. Build threads.

#include <hks/runtime/instance.hpp>
#include <hks/storage/database.hpp>

#include <optional>
#include <string>

namespace hks::build {

class BuildCache {
  public:
    explicit BuildCache(storage::Database& database) : database_(database) {}

    Result<void> open();
    /// Nothing when it is not known, or cannot be read.
    std::optional<std::string> bundle(const std::string& source_key);
    void remember_bundle(const std::string& source_key, const std::string& digest);
    std::optional<runtime::ReadyInfo> loaded(const std::string& load_key);
    void remember_loaded(const std::string& load_key, const runtime::ReadyInfo& info);

  private:
    Result<void> put(const char* sql, const std::string& key, const std::string& a, const std::string& b);

    storage::Database& database_;
};

}  // namespace hks::build
