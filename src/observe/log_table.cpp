// SPDX-License-Identifier: Apache-2.0
#include "log_table.hpp"

#include "log_block.hpp"

#include <hks/storage/crc32c.hpp>
#include <hks/telemetry/logger.hpp>

#include <algorithm>
#include <array>

namespace hks::observe {

namespace {

constexpr std::array<storage::Migration, 1> schema{{
    {1, R"sql(
CREATE TABLE log_sources(
    id        INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: old lines of a deleted function stay nobody's
    workspace TEXT NOT NULL,
    function  TEXT NOT NULL,
    UNIQUE(workspace, function)
);
CREATE TABLE log_blocks(
    key       INTEGER PRIMARY KEY,  -- of the first line: microseconds since 1970, made unique
    source    INTEGER NOT NULL,
    last_key  INTEGER NOT NULL,
    min_time  INTEGER NOT NULL,
    max_time  INTEGER NOT NULL,
    max_level INTEGER NOT NULL,
    crc       INTEGER NOT NULL,
    data      BLOB NOT NULL         -- last: what does not need it does not read it
);
-- An entry a block, not a line: it costs nothing that can be measured, and a silent function is answered at once.
CREATE INDEX log_blocks_by_source ON log_blocks(source);
)sql"},
}};

constexpr int64_t row_cost = 64;
constexpr int trim_step = 64;  // blocks
constexpr int vacuum_pages = 256;

int64_t sum_of(int64_t key, int64_t source, std::string_view data) {
    return storage::RowSum().add(key).add(source).add(data).value();
}

Result<int64_t> number(storage::Database& database, const char* sql) {
    auto s = database.prepare(sql);
    if (!s) return s.error();
    auto row = s->step();
    if (!row) return row.error();
    return *row ? s->integer(0) : 0;
}

}  // namespace

Result<void> LogTable::open() {
    if (auto r = storage::migrate(database_, "function_logs", schema.data(), schema.size()); !r) return r;
    std::lock_guard lock(database_.mutex());
    auto s = database_.prepare("SELECT id, workspace, function FROM log_sources");
    if (!s) return s.error();
    for (;;) {
        auto row = s->step();
        if (!row) return row.error();
        if (!*row) break;
        sources_[{s->text(1), s->text(2)}] = s->integer(0);
    }
    auto bytes = number(database_, "SELECT coalesce(sum(length(data) + 64), 0) FROM log_blocks");
    if (!bytes) return bytes.error();
    bytes_ = *bytes;
    return {};
}

Result<int64_t> LogTable::last_key() const {
    // Not that of the last row: blocks of several functions overlap.
    return number(database_, "SELECT coalesce(max(last_key), 0) FROM log_blocks");
}

Result<int64_t> LogTable::source(const FunctionKey& function) {
    if (auto known = sources_.find(function); known != sources_.end()) return known->second;
    auto s = database_.prepare("INSERT INTO log_sources(workspace, function) VALUES(?, ?)");
    if (!s) return s.error();
    if (auto r = s->bind(function.first).bind(function.second).run(); !r) return r.error();
    return sources_[function] = database_.last_insert_id();
}

Result<void> LogTable::write(const std::map<FunctionKey, std::vector<const StoredLog*>>& lines) {
    std::lock_guard lock(database_.mutex());
    std::vector<int64_t> sources;
    for (const auto& [function, rows] : lines) {
        auto id = source(function);
        if (!id) return id.error();
        sources.push_back(*id);
    }
    int64_t bytes_before = bytes_;
    storage::Transaction transaction(database_);
    auto done = transaction.begin();
    size_t i = 0;
    for (auto it = lines.begin(); done && it != lines.end(); ++it) done = insert(sources[i++], it->second);
    if (done) done = transaction.commit();
    if (!done) bytes_ = bytes_before;
    return done;
}

Result<void> LogTable::insert(int64_t source, const std::vector<const StoredLog*>& lines) {
    auto s = database_.prepare(
        "INSERT INTO log_blocks(key, source, last_key, min_time, max_time, max_level, crc, data) "
        "VALUES(?,?,?,?,?,?,?,?)");
    if (!s) return s.error();
    LogBlock block;
    auto put = [&]() -> Result<void> {
        s->reset();
        s->bind(block.first_key())
            .bind(source)
            .bind(block.last_key())
            .bind(block.min_time())
            .bind(block.max_time());
        s->bind(block.max_level())
            .bind(sum_of(block.first_key(), source, block.data()))
            .bind_blob(block.data());
        bytes_ += static_cast<int64_t>(block.data().size()) + row_cost;
        block = LogBlock();
        return s->run();
    };
    for (const auto* line : lines) {
        if (!block.fits(*line))
            if (auto r = put(); !r) return r;
        block.add(*line);
    }
    return block.empty() ? Result<void>{} : put();
}

Result<void> LogTable::forget(const FunctionKey& function) {
    std::lock_guard lock(database_.mutex());
    auto known = sources_.find(function);
    if (known == sources_.end()) return {};
    auto name = database_.prepare("DELETE FROM log_sources WHERE id = ?");
    if (!name) return name.error();
    if (auto r = name->bind(known->second).run(); !r) return r;
    int64_t id = known->second;
    sources_.erase(known);
    auto size =
        database_.prepare("SELECT coalesce(sum(length(data) + 64), 0) FROM log_blocks WHERE source = ?");
    if (!size) return size.error();
    if (auto row = size->bind(id).step(); !row) return row.error();
    bytes_ -= size->integer(0);
    size->reset();
    auto blocks = database_.prepare("DELETE FROM log_blocks WHERE source = ?");
    if (!blocks) return blocks.error();
    return blocks->bind(id).run();
}

Result<void> LogTable::query(const LogQuery& query, int64_t below, size_t limit,
                             std::vector<StoredLog>& out) {
    std::lock_guard lock(database_.mutex());
    auto known = sources_.find({query.workspace, query.function});
    if (known == sources_.end() || limit == 0) return {};
    int64_t since = query.since ? to_micros(*query.since) : 0;
    // A line's key is never less than its time, and a block spans at most max_span.
    int64_t from = std::max(query.after_key, since) - LogBlock::max_span;
    auto s = database_.prepare(
        std::string("SELECT key, crc, data FROM log_blocks WHERE key > ? AND key < ? AND source = ?"
                    " AND last_key > ? AND max_time >= ? AND min_time <= ? AND max_level >= ?"
                    " ORDER BY key ") +
        (query.newest ? "DESC" : "ASC"));
    if (!s) return s.error();
    s->bind(from).bind(below).bind(known->second).bind(query.after_key).bind(since);
    s->bind(query.until ? to_micros(*query.until) : INT64_MAX);
    s->bind(query.min_level ? static_cast<int>(*query.min_level) : 0);
    size_t end = out.size() + limit;
    std::vector<StoredLog> lines;
    while (out.size() < end) {
        auto row = s->step();
        if (!row) return row.error();
        if (!*row) break;
        int64_t key = s->integer(0);
        std::string data = s->text(2);
        lines.clear();
        if (sum_of(key, known->second, data) != s->integer(1) || !read_block(data, key, lines)) {
            // The other blocks are still worth showing.
            auto damage = storage::damaged_row("log_blocks", std::to_string(key), database_.path());
            logger_.error("log lines are lost", {{"function", query.function}, {"error", damage.message}});
            continue;
        }
        if (query.newest) std::reverse(lines.begin(), lines.end());
        for (auto& line : lines) {
            if (out.size() == end) break;
            if (line.key >= below || !matches(query, line)) continue;
            line.record.workspace = query.workspace;
            line.record.function = query.function;
            out.push_back(std::move(line));
        }
    }
    return {};
}

Result<bool> LogTable::trim(const LogStoreOptions& options, WallTime now, int steps) {
    int64_t too_old = to_micros(now - options.max_age);
    for (int i = 0; i < steps; ++i) {
        std::lock_guard lock(database_.mutex());
        auto s = database_.prepare("SELECT key, last_key, length(data) FROM log_blocks ORDER BY key LIMIT ?");
        if (!s) return s.error();
        s->bind(trim_step);
        int64_t gone_until = -1, gone_bytes = 0;
        for (;;) {
            auto row = s->step();
            if (!row) return row.error();
            bool too_much = bytes_ - gone_bytes > static_cast<int64_t>(options.max_bytes);
            if (!*row || (s->integer(1) >= too_old && !too_much)) break;
            gone_until = s->integer(0);
            gone_bytes += s->integer(2) + row_cost;
        }
        s->reset();
        if (gone_until < 0) {
            if (auto r = give_back_space(); !r) return r.error();
            return true;
        }
        auto gone = database_.prepare("DELETE FROM log_blocks WHERE key <= ?");
        if (!gone) return gone.error();
        if (auto r = gone->bind(gone_until).run(); !r) return r.error();
        bytes_ -= gone_bytes;
    }
    return false;
}

/// Free pages are used again by the next lines; only many of them are worth giving back to the disk.
Result<void> LogTable::give_back_space() {
    auto free = number(database_, "PRAGMA freelist_count");
    if (!free) return free.error();
    auto pages = number(database_, "PRAGMA page_count");
    if (!pages) return pages.error();
    if (*free < std::max<int64_t>(4 * vacuum_pages, *pages / 8)) return {};
    return database_.execute("PRAGMA incremental_vacuum(" + std::to_string(vacuum_pages) + ")");
}

}  // namespace hks::observe
