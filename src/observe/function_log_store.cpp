// SPDX-License-Identifier: Apache-2.0
#include "log_block.hpp"
#include "log_table.hpp"

#include <hks/core/async/blocking_pool.hpp>
#include <hks/observe/function_log_store.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <unordered_set>

namespace hks::observe {

namespace {

constexpr auto flush_after = std::chrono::milliseconds(200);
constexpr size_t chunk_lines = 1000;
constexpr size_t most_deleted = 10'000;  // ids; who was deleted before them has no call left that could write
constexpr int trim_steps = 16;  // a flush, so that the next one does not wait long
constexpr auto complain_every = std::chrono::seconds(30);

struct Follower {
    FunctionKey function;
    FunctionLogStore::Listener listener;
    bool alive = true;
};

/// All lines of a function up to a key are to go.
struct Forgotten {
    FunctionKey function;
    int64_t up_to = 0;
};

bool is_of(const StoredLog& line, const FunctionKey& function) {
    return line.record.function == function.second && line.record.workspace == function.first;
}

/// Cuts between two UTF-8 characters.
void cut(std::string& text, size_t limit) {
    if (text.size() <= limit) return;
    size_t whole = text.size(), end = limit;
    while (end > 0 && limit - end < 4 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
    text += " … (cut, the line has " + std::to_string(whole) + " bytes)";
}

}  // namespace

struct FunctionLogStore::Impl : std::enable_shared_from_this<Impl> {
    Impl(boost::asio::io_context& l, BlockingPool& p, storage::Database& d, LogStoreOptions o,
         telemetry::Logger& g, telemetry::MetricsRegistry& m)
        : loop(l),
          pool(p),
          options(o),
          logger(g),
          table(d, g),
          written(m.counter("hks_function_log_lines_total", "Lines that functions printed.")),
          lost(m.counter("hks_function_log_lines_dropped_total", "Lines that could not be kept.")) {
        timer.emplace(l);
    }

    // Loop thread.
    void write(FunctionLogRecord record);
    void tell_followers(const StoredLog& line);
    void schedule();
    void arm();
    void submit();
    void on_flushed();
    std::shared_ptr<void> follow(FunctionKey function, Listener listener);

    // Any thread.
    void flush();  ///< with `flushing` held
    void stop();
    void forget(FunctionKey function, std::string function_id);
    Result<std::vector<StoredLog>> query(LogQuery query);
    int64_t collect_pending(LogQuery& query, std::vector<StoredLog>& out);

    boost::asio::io_context& loop;
    BlockingPool& pool;
    const LogStoreOptions options;
    telemetry::Logger& logger;
    LogTable table;
    telemetry::Counter& written;
    telemetry::Counter& lost;

    std::optional<boost::asio::steady_timer> timer;  ///< gone after stop(): the rest may die on any thread
    bool armed = false;
    bool submitted = false;
    bool pool_full = false;  ///< the timer tries again
    std::map<FunctionKey, std::vector<std::shared_ptr<Follower>>> followers;

    std::mutex flushing;  ///< one flush at a time; taken before `mutex`
    std::atomic<bool> stopped{false};
    SteadyTime next_complaint{};

    std::mutex mutex;  ///< what follows; held for microseconds
    LogChunk open;
    std::deque<std::shared_ptr<const LogChunk>> sealed;
    size_t lines = 0, bytes = 0;  ///< of open and sealed
    int64_t last_key = 0;
    std::vector<Forgotten> forgotten;
    std::unordered_set<std::string> deleted;  ///< function ids
    std::deque<std::string> deleted_in_order;
};

void FunctionLogStore::Impl::write(FunctionLogRecord record) {
    WallTime now = std::chrono::system_clock::now();
    // Keys are never less than times: a time range is then a key range.
    if (record.time == WallTime{} || record.time > now) record.time = now;
    cut(record.message, options.max_line_bytes);
    StoredLog line{0, std::move(record)};
    bool kept = false;
    {
        std::lock_guard lock(mutex);
        if (!deleted.empty() && deleted.contains(line.record.function_id)) return;
        line.key = last_key = std::max(last_key + 1, to_micros(now));
        size_t size = line.record.message.size();
        kept = !stopped && lines < options.max_pending && bytes + size <= options.max_pending_bytes;
        if (kept) {
            ++lines;
            bytes += size;
            if (followers.empty())
                open.push_back(std::move(line));
            else
                open.push_back(line);
            if (open.size() >= chunk_lines)
                sealed.push_back(std::make_shared<const LogChunk>(std::exchange(open, {})));
        }
    }
    written.add();
    if (!kept) lost.add();
    if (!followers.empty()) tell_followers(line);
    schedule();
}

void FunctionLogStore::Impl::tell_followers(const StoredLog& line) {
    auto found = followers.find({line.record.workspace, line.record.function});
    if (found == followers.end()) return;
    // A copy: a listener may drop its own handle, or another's.
    auto listeners = found->second;
    for (const auto& follower : listeners)
        if (follower->alive) follower->listener(line);
}

void FunctionLogStore::Impl::schedule() {
    if (submitted || pool_full || stopped) return;
    bool many = false;
    {
        std::lock_guard lock(mutex);
        if (lines == 0 && forgotten.empty()) return;
        many = !sealed.empty();
    }
    if (!many && !armed) return arm();
    // A timer that cannot be cancelled any more has fired: its handler submits.
    if (many && (!armed || timer->cancel() > 0)) submit();
}

void FunctionLogStore::Impl::arm() {
    armed = true;
    timer->expires_after(flush_after);
    timer->async_wait([weak = weak_from_this()](boost::system::error_code error) {
        auto self = weak.lock();
        if (self && !error && !self->stopped) self->submit();
    });
}

void FunctionLogStore::Impl::submit() {
    armed = false;
    submitted = pool.submit([self = shared_from_this()] {
        std::lock_guard lock(self->flushing);
        if (self->stopped) return;
        self->flush();
        boost::asio::post(self->loop, [weak = self->weak_from_this()] {
            if (auto alive = weak.lock()) alive->on_flushed();
        });
    });
    pool_full = !submitted;
    if (pool_full) arm();
}

void FunctionLogStore::Impl::on_flushed() {
    submitted = false;
    schedule();
}

void FunctionLogStore::Impl::flush() {
    std::vector<std::shared_ptr<const LogChunk>> chunks;
    std::vector<Forgotten> gone;
    {
        std::lock_guard lock(mutex);
        if (!open.empty()) sealed.push_back(std::make_shared<const LogChunk>(std::exchange(open, {})));
        chunks.assign(sealed.begin(), sealed.end());
        gone = forgotten;
    }
    Result<void> done{};
    for (const auto& one : gone)
        if (auto r = table.forget(one.function); !r) done = r;
    std::map<FunctionKey, std::vector<const StoredLog*>> by_function;
    size_t count = 0, size = 0;
    for (const auto& chunk : chunks)
        for (const auto& line : *chunk) {
            ++count;
            size += line.record.message.size();
            bool dead = std::any_of(gone.begin(), gone.end(), [&](const auto& one) {
                return line.key <= one.up_to && is_of(line, one.function);
            });
            if (!dead) by_function[{line.record.workspace, line.record.function}].push_back(&line);
        }
    if (auto r = table.write(by_function); !r) {
        lost.add(count);
        done = r;
    }
    {
        std::lock_guard lock(mutex);
        sealed.erase(sealed.begin(), sealed.begin() + static_cast<std::ptrdiff_t>(chunks.size()));
        forgotten.erase(forgotten.begin(), forgotten.begin() + static_cast<std::ptrdiff_t>(gone.size()));
        lines -= count;
        bytes -= size;
    }
    if (auto r = table.trim(options, std::chrono::system_clock::now(), trim_steps); !r) done = r.error();
    if (done || std::chrono::steady_clock::now() < next_complaint) return;
    next_complaint = std::chrono::steady_clock::now() + complain_every;
    logger.error("function logs cannot be kept", {{"error", done.error().message}});
}

void FunctionLogStore::Impl::stop() {
    if (stopped.exchange(true)) return;
    timer.reset();
    std::lock_guard lock(flushing);
    flush();
}

void FunctionLogStore::Impl::forget(FunctionKey function, std::string function_id) {
    {
        std::lock_guard lock(mutex);
        if (!function_id.empty() && deleted.insert(function_id).second)
            deleted_in_order.push_back(std::move(function_id));
        if (deleted_in_order.size() > most_deleted) {
            deleted.erase(deleted_in_order.front());
            deleted_in_order.pop_front();
        }
        forgotten.push_back({std::move(function), last_key});
    }
    boost::asio::post(loop, [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->schedule();
    });
}

/// Lines that are not on the disk, or may not be, and the key from which they begin.
int64_t FunctionLogStore::Impl::collect_pending(LogQuery& query, std::vector<StoredLog>& out) {
    FunctionKey function{query.workspace, query.function};
    std::vector<std::shared_ptr<const LogChunk>> chunks;
    LogChunk last;
    int64_t begin = INT64_MAX;
    {
        std::lock_guard lock(mutex);
        for (const auto& one : forgotten)
            if (one.function == function) query.after_key = std::max(query.after_key, one.up_to);
        chunks.assign(sealed.begin(), sealed.end());
        if (!open.empty()) begin = open.front().key;
        for (const auto& line : open)
            if (is_of(line, function) && matches(query, line)) last.push_back(line);
    }
    if (!chunks.empty()) begin = chunks.front()->front().key;
    for (const auto& chunk : chunks)
        for (const auto& line : *chunk)
            if (is_of(line, function) && matches(query, line)) out.push_back(line);
    std::move(last.begin(), last.end(), std::back_inserter(out));
    return begin;
}

Result<std::vector<StoredLog>> FunctionLogStore::Impl::query(LogQuery query) {
    WallTime oldest = std::chrono::system_clock::now() - options.max_age;
    query.since = std::max(query.since.value_or(oldest), oldest);
    std::vector<StoredLog> pending, out;
    const int64_t below = std::min(collect_pending(query, pending), query.before_key);
    if (!query.newest) {
        if (auto r = table.query(query, below, query.limit, out); !r) return r.error();
        size_t room = std::min(query.limit - out.size(), pending.size());
        std::move(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(room),
                  std::back_inserter(out));
        return out;
    }
    if (pending.size() > query.limit)
        pending.erase(pending.begin(), pending.end() - static_cast<std::ptrdiff_t>(query.limit));
    if (auto r = table.query(query, below, query.limit - pending.size(), out); !r) return r.error();
    std::reverse(out.begin(), out.end());
    std::move(pending.begin(), pending.end(), std::back_inserter(out));
    return out;
}

std::shared_ptr<void> FunctionLogStore::Impl::follow(FunctionKey function, Listener listener) {
    auto follower = std::make_shared<Follower>(Follower{function, std::move(listener)});
    followers[function].push_back(follower);
    auto end = [weak = weak_from_this(), follower](void*) {
        follower->alive = false;
        auto self = weak.lock();
        if (!self) return;
        auto found = self->followers.find(follower->function);
        if (found == self->followers.end()) return;
        std::erase(found->second, follower);
        if (found->second.empty()) self->followers.erase(found);
    };
    return std::shared_ptr<void>(follower.get(), end);
}

FunctionLogStore::FunctionLogStore(boost::asio::io_context& loop, BlockingPool& pool,
                                   storage::Database& database, LogStoreOptions options,
                                   telemetry::Logger& logger, telemetry::MetricsRegistry& metrics)
    : impl_(std::make_shared<Impl>(loop, pool, database, options, logger, metrics)) {}

FunctionLogStore::~FunctionLogStore() {
    stop();
}

Result<void> FunctionLogStore::open() {
    if (auto r = impl_->table.open(); !r) return r;
    auto last = impl_->table.last_key();
    if (!last) return last.error();
    {
        std::lock_guard lock(impl_->mutex);
        impl_->last_key = *last;
    }
    for (;;) {
        auto finished = impl_->table.trim(impl_->options, std::chrono::system_clock::now(), trim_steps);
        if (!finished) return finished.error();
        if (*finished) return {};
    }
}

void FunctionLogStore::stop() {
    impl_->stop();
}
void FunctionLogStore::write(FunctionLogRecord record) {
    impl_->write(std::move(record));
}
Result<std::vector<StoredLog>> FunctionLogStore::query(const LogQuery& query) {
    return impl_->query(query);
}

std::shared_ptr<void> FunctionLogStore::follow(const std::string& workspace, const std::string& function,
                                               Listener listener) {
    return impl_->follow({workspace, function}, std::move(listener));
}

void FunctionLogStore::forget_function(const std::string& workspace, const std::string& function,
                                       const std::string& function_id) {
    impl_->forget({workspace, function}, function_id);
}

}  // namespace hks::observe
