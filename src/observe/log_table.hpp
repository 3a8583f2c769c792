// SPDX-License-Identifier: Apache-2.0
#pragma once
// The log store's part of logs.db. Every method takes the database's lock; blocking, any thread.

#include <hks/observe/function_log_store.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hks::observe {

using LogChunk = std::vector<StoredLog>;
using FunctionKey = std::pair<std::string, std::string>;  // workspace, name

class LogTable {
  public:
    LogTable(storage::Database& database, telemetry::Logger& logger) : database_(database), logger_(logger) {}

    Result<void> open();
    /// The greatest key on the disk; 0 when there is none.
    Result<int64_t> last_key() const;
    /// One transaction: all or nothing.
    Result<void> write(const std::map<FunctionKey, std::vector<const StoredLog*>>& lines);
    Result<void> forget(const FunctionKey& function);
    /// Appends at most `limit` lines with keys below `below`: oldest first, or with query.newest newest
    /// first.
    Result<void> query(const LogQuery& query, int64_t below, size_t limit, std::vector<StoredLog>& out);
    /// Removes the oldest blocks until age and size fit, at most `steps` steps; true when nothing is left to
    /// do.
    Result<bool> trim(const LogStoreOptions& options, WallTime now, int steps);

  private:
    Result<int64_t> source(const FunctionKey& function);
    Result<void> insert(int64_t source, const std::vector<const StoredLog*>& lines);
    Result<void> give_back_space();

    storage::Database& database_;
    telemetry::Logger& logger_;
    std::map<FunctionKey, int64_t> sources_;
    int64_t bytes_ = 0;  ///< of all blocks, with what a row costs
};

}  // namespace hks::observe
