// SPDX-License-Identifier: Apache-2.0
#pragma once
// What builds said. While a build runs its lines are in memory (bounded) and are written to the log database
// in batches by the build's own thread; afterwards the database alone has them. Old builds make room for new
// ones.

#include <hks/build/build_service.hpp>
#include <hks/storage/database.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace hks::build {

class BuildLogStore;

/// The log of one running build.
class BuildLog {
  public:
    BuildLog(BuildLogStore& store, int64_t version_key, int64_t build, size_t max_bytes)
        : store_(store), version_key_(version_key), build_(build), max_bytes_(max_bytes) {}

    /// Our own line; always kept. Any thread.
    void say(std::string_view text);
    /// What a tool or the function printed; cut at the limit. Control characters are taken out. Any thread.
    void output(std::string_view text);
    /// Writes what is not yet in the database. Build threads.
    void flush();
    /// The build is over, its version has its last status. Build threads.
    void end();

  private:
    friend class BuildLogStore;
    void append(std::string text);

    BuildLogStore& store_;
    const int64_t version_key_;
    const int64_t build_;
    const size_t max_bytes_;
    std::mutex mutex_;
    std::vector<BuildLogLine> lines_;
    size_t bytes_ = 0;
    size_t written_ = 0;  ///< lines that the database has
    bool cut_ = false;
};

class BuildLogStore {
  public:
    BuildLogStore(boost::asio::io_context& loop, storage::Database& database, size_t max_bytes);

    Result<void> open();
    Result<std::shared_ptr<BuildLog>> begin(int64_t version_key);
    Result<std::vector<BuildLogLine>> lines(int64_t version_key, int64_t after, bool& finished);
    std::shared_ptr<void> follow(int64_t version_key, std::function<void()> listener);

  private:
    friend class BuildLog;
    struct Follower {
        std::function<void()> listener;
        std::atomic<bool> posted{false};
    };

    void notify(int64_t version_key);
    Result<void> write(int64_t build, const std::vector<BuildLogLine>& lines);
    Result<void> forget_old();
    Result<std::vector<BuildLogLine>> stored(int64_t version_key, int64_t after);

    boost::asio::io_context& loop_;
    storage::Database& database_;
    const size_t max_bytes_;
    std::mutex mutex_;
    int64_t last_build_ = 0;
    std::map<int64_t, std::shared_ptr<BuildLog>> running_;  ///< by version
    std::multimap<int64_t, std::weak_ptr<Follower>> followers_;
};

}  // namespace hks::build
