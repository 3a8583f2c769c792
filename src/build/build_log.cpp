// SPDX-License-Identifier: Apache-2.0
#include "build_log.hpp"

#include <hks/core/json_gate.hpp>
#include <hks/core/units.hpp>

#include <boost/asio/post.hpp>

#include <chrono>

namespace hks::build {
namespace {

/// A line's key is its build's number and its place in the build.
constexpr int line_bits = 24;
constexpr int64_t max_builds = 500;
constexpr int64_t max_stored_bytes = 64ll << 20;
constexpr size_t batch_lines = 256;
constexpr size_t max_line_bytes = 16 * 1024;

constexpr storage::Migration migrations[] = {
    {1,
     "CREATE TABLE build_logs(build INTEGER PRIMARY KEY, version INTEGER NOT NULL UNIQUE, "
     "                        bytes INTEGER NOT NULL DEFAULT 0);"
     "CREATE TABLE build_lines(key INTEGER PRIMARY KEY, time TEXT NOT NULL, text TEXT NOT NULL);"},
};

/// Text for a terminal and for JSON: no escape sequences, no control characters, UTF-8.
std::string clean(std::string_view text) {
    const bool valid = is_utf8(text);
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c == 0x1b && i + 1 < text.size() && text[i + 1] == '[') {
            i += 2;
            while (i < text.size() && (text[i] < 0x40 || text[i] > 0x7e)) ++i;
        } else if (c >= 0x80 && !valid) {
            out += "\xEF\xBF\xBD";
        } else if ((c >= 0x20 && c != 0x7f) || c == '\t') {
            out += text[i];
        }
        if (out.size() >= max_line_bytes && (c < 0x80 || !valid)) return out + "…";
    }
    return out;
}

}  // namespace

void BuildLog::say(std::string_view text) {
    append(clean(text));
}

void BuildLog::output(std::string_view text) {
    bool last = false;
    {
        std::lock_guard lock(mutex_);
        if (cut_) return;
        cut_ = last = bytes_ + text.size() > max_bytes_;
    }
    append(last ? "… the rest is left out: the log is longer than " + format_bytes(max_bytes_) : clean(text));
}

void BuildLog::append(std::string text) {
    {
        std::lock_guard lock(mutex_);
        BuildLogLine line;
        line.index = static_cast<int64_t>(lines_.size());
        line.time = to_rfc3339(std::chrono::system_clock::now());
        line.text = std::move(text);
        bytes_ += line.text.size() + 1;
        lines_.push_back(std::move(line));
    }
    store_.notify(version_key_);
}

void BuildLog::flush() {
    std::vector<BuildLogLine> batch;
    while (true) {
        {
            std::lock_guard lock(mutex_);
            const size_t count = std::min(lines_.size() - written_, batch_lines);
            const auto from = lines_.begin() + static_cast<std::ptrdiff_t>(written_);
            batch.assign(from, from + static_cast<std::ptrdiff_t>(count));
        }
        // A log that cannot be written must not fail the build: readers still have the lines in memory.
        if (batch.empty() || !store_.write(build_, batch)) return;
        std::lock_guard lock(mutex_);
        written_ += batch.size();
    }
}

void BuildLog::end() {
    flush();
    std::shared_ptr<BuildLog> self;
    {
        std::lock_guard lock(store_.mutex_);
        auto found = store_.running_.find(version_key_);
        if (found != store_.running_.end() && found->second.get() == this) {
            self = std::move(found->second);
            store_.running_.erase(found);
        }
    }
    (void)store_.forget_old();
    store_.notify(version_key_);
}

BuildLogStore::BuildLogStore(boost::asio::io_context& loop, storage::Database& database, size_t max_bytes)
    : loop_(loop), database_(database), max_bytes_(max_bytes) {}

Result<void> BuildLogStore::open() {
    if (auto done = storage::migrate(database_, "build_log", migrations, std::size(migrations)); !done)
        return done;
    std::lock_guard lock(database_.mutex());
    auto newest = database_.prepare("SELECT coalesce(max(build), 0) FROM build_logs");
    if (!newest) return newest.error();
    auto row = newest->step();
    if (!row) return row.error();
    last_build_ = newest->integer(0);
    return {};
}

Result<std::shared_ptr<BuildLog>> BuildLogStore::begin(int64_t version_key) {
    int64_t build = 0;
    {
        std::lock_guard lock(mutex_);
        build = ++last_build_;
    }
    {
        std::lock_guard lock(database_.mutex());
        auto insert = database_.prepare("INSERT OR REPLACE INTO build_logs(build, version) VALUES(?, ?)");
        if (!insert) return insert.error();
        if (auto done = insert->bind(build).bind(version_key).run(); !done) return done.error();
    }
    auto log = std::make_shared<BuildLog>(*this, version_key, build, max_bytes_);
    std::lock_guard lock(mutex_);
    running_[version_key] = log;
    return log;
}

Result<void> BuildLogStore::write(int64_t build, const std::vector<BuildLogLine>& lines) {
    storage::Transaction transaction(database_);
    if (auto begun = transaction.begin(); !begun) return begun;
    auto insert = database_.prepare("INSERT OR REPLACE INTO build_lines(key, time, text) VALUES(?, ?, ?)");
    if (!insert) return insert.error();
    int64_t bytes = 0;
    for (const BuildLogLine& line : lines) {
        insert->bind((build << line_bits) + line.index).bind(line.time).bind(line.text);
        if (auto done = insert->run(); !done) return done;
        insert->reset();
        bytes += static_cast<int64_t>(line.text.size()) + 64;
    }
    auto count = database_.prepare("UPDATE build_logs SET bytes = bytes + ? WHERE build = ?");
    if (!count) return count.error();
    if (auto done = count->bind(bytes).bind(build).run(); !done) return done;
    return transaction.commit();
}

Result<void> BuildLogStore::forget_old() {
    storage::Transaction transaction(database_);
    if (auto begun = transaction.begin(); !begun) return begun;
    int64_t oldest_kept = 0;
    {
        auto rows = database_.prepare("SELECT build, bytes FROM build_logs ORDER BY build DESC");
        if (!rows) return rows.error();
        int64_t builds = 0, bytes = 0;
        while (true) {
            auto row = rows->step();
            if (!row) return row.error();
            if (!*row) break;
            bytes += rows->integer(1);
            if (builds > 0 && (builds >= max_builds || bytes > max_stored_bytes)) break;
            ++builds;
            oldest_kept = rows->integer(0);
        }
    }
    for (const auto& [sql, limit] :
         {std::pair{"DELETE FROM build_lines WHERE key < ?", oldest_kept << line_bits},
          std::pair{"DELETE FROM build_logs WHERE build < ?", oldest_kept}}) {
        auto remove = database_.prepare(sql);
        if (!remove) return remove.error();
        if (auto done = remove->bind(limit).run(); !done) return done;
    }
    return transaction.commit();
}

Result<std::vector<BuildLogLine>> BuildLogStore::lines(int64_t version_key, int64_t after, bool& finished) {
    std::shared_ptr<BuildLog> running;
    {
        std::lock_guard lock(mutex_);
        if (auto found = running_.find(version_key); found != running_.end()) running = found->second;
    }
    finished = !running;
    if (!running) return stored(version_key, after);
    std::lock_guard lock(running->mutex_);
    const auto skip =
        std::min<int64_t>(std::max<int64_t>(after + 1, 0), static_cast<int64_t>(running->lines_.size()));
    return std::vector<BuildLogLine>(running->lines_.begin() + skip, running->lines_.end());
}

Result<std::vector<BuildLogLine>> BuildLogStore::stored(int64_t version_key, int64_t after) {
    std::lock_guard lock(database_.mutex());
    auto find = database_.prepare("SELECT build FROM build_logs WHERE version = ?");
    if (!find) return find.error();
    auto found = find->bind(version_key).step();
    if (!found) return found.error();
    std::vector<BuildLogLine> lines;
    if (!*found) return lines;
    const int64_t first = find->integer(0) << line_bits;
    auto rows =
        database_.prepare("SELECT key, time, text FROM build_lines WHERE key > ? AND key < ? ORDER BY key");
    if (!rows) return rows.error();
    rows->bind(first + std::max<int64_t>(after, -1)).bind(first + (int64_t{1} << line_bits));
    while (true) {
        auto row = rows->step();
        if (!row) return row.error();
        if (!*row) return lines;
        lines.push_back({rows->integer(0) - first, rows->text(1), rows->text(2)});
    }
}

std::shared_ptr<void> BuildLogStore::follow(int64_t version_key, std::function<void()> listener) {
    auto follower = std::make_shared<Follower>();
    follower->listener = std::move(listener);
    std::lock_guard lock(mutex_);
    std::erase_if(followers_, [](const auto& entry) { return entry.second.expired(); });
    followers_.emplace(version_key, follower);
    return follower;
}

void BuildLogStore::notify(int64_t version_key) {
    std::lock_guard lock(mutex_);
    const auto [first, last] = followers_.equal_range(version_key);
    for (auto it = first; it != last; ++it) {
        auto follower = it->second.lock();
        if (!follower || follower->posted.exchange(true)) continue;
        boost::asio::post(loop_, [weak = it->second] {
            auto still_there = weak.lock();
            if (!still_there) return;
            still_there->posted = false;
            still_there->listener();
        });
    }
}

}  // namespace hks::build
