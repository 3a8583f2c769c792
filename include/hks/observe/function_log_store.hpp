// SPDX-License-Identifier: Apache-2.0
#pragma once
// What functions printed, kept: batched into its own database (synchronous=NORMAL, append-only integer key),
// bounded by size and age, readable back by time, level, version and invocation, and followed live.
// write() and follow() on the loop thread; query() blocks (BlockingPool). A follower sees a line in the loop
// turn in which it was written; the disk sees it within 200 ms. stop() flushes.

#include <hks/core/log_record.hpp>
#include <hks/storage/database.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace hks {
class BlockingPool;
}
namespace hks::telemetry {
class Logger;
class MetricsRegistry;
}  // namespace hks::telemetry

namespace hks::observe {

struct LogQuery {
    std::string workspace;
    std::string function;
    std::optional<WallTime> since, until;
    std::optional<LogLevel> min_level;
    std::string invocation_id;  ///< "" = any
    int version = 0;            ///< 0 = any
    int64_t after_key = 0;      ///< rows with a greater key only (paging, following)
    int64_t before_key = INT64_MAX;  ///< rows with a smaller key only (paging back from the newest)
    size_t limit = 1000;
    bool newest = false;  ///< take the newest `limit` rows (still returned oldest first)
};

struct StoredLog {
    int64_t key = 0;
    FunctionLogRecord record;
};

struct LogStoreOptions {
    uint64_t max_bytes = 256ull << 20;
    std::chrono::hours max_age{24 * 7};
    size_t max_pending = 100'000;          ///< lines waiting for the disk; more are dropped and counted
    size_t max_pending_bytes = 32u << 20;  ///< of their text, likewise
    size_t max_line_bytes = 64 * 1024;     ///< longer lines are cut, with a note
};

class FunctionLogStore final : public FunctionLogSink {
  public:
    FunctionLogStore(boost::asio::io_context& loop, BlockingPool& pool, storage::Database& database,
                     LogStoreOptions options, telemetry::Logger& logger, telemetry::MetricsRegistry& metrics);
    ~FunctionLogStore() override;

    Result<void> open();  ///< migrations; blocking
    void stop();          ///< flushes what waits; blocking; on the loop thread, or when the loop has ended

    void write(FunctionLogRecord record) override;

    /// Rows oldest first. Includes lines not on disk yet. Any thread, blocking.
    Result<std::vector<StoredLog>> query(const LogQuery& query);

    /// Calls `listener` for every line of a function from now on, on the loop. Ends when the handle is
    /// dropped.
    using Listener = std::function<void(const StoredLog&)>;
    std::shared_ptr<void> follow(const std::string& workspace, const std::string& function,
                                 Listener listener);

    /// Deleted: its lines are gone for every query from now on, from the disk within 200 ms. Lines with this
    /// id that its last calls still write are nobody's: a new function of the same name does not get them.
    /// Any thread.
    void forget_function(const std::string& workspace, const std::string& function,
                         const std::string& function_id);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace hks::observe
