// SPDX-License-Identifier: Apache-2.0
#include "observe/log_block.hpp"
#include "support/results.hpp"
#include "support/temporary_folder.hpp"

#include <hks/core/async/blocking_pool.hpp>
#include <hks/observe/function_log_store.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using namespace hks;
using namespace hks::observe;
using hks::test::take;
using namespace std::chrono_literals;

namespace {

FunctionLogRecord line(const std::string& message, const std::string& function = "hello") {
    FunctionLogRecord record;
    record.time = std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    record.workspace = "default";
    record.function = function;
    record.version = 3;
    record.stream = "stdout";
    record.invocation_id = "0123456789abcdef0123456789abcdef";
    record.message = message;
    return record;
}

struct Fixture {
    test::TemporaryFolder folder;
    boost::asio::io_context loop;
    std::string logged;
    telemetry::Logger logger{
        telemetry::Level::debug, telemetry::Format::text,
        [](void* out, std::string_view text) { static_cast<std::string*>(out)->append(text); }, &logged};
    telemetry::MetricsRegistry metrics;
    LogStoreOptions options;
    std::unique_ptr<storage::Database> database;
    std::unique_ptr<BlockingPool> pool = std::make_unique<BlockingPool>(1, 100);
    std::unique_ptr<FunctionLogStore> store;

    explicit Fixture(LogStoreOptions wanted = {}) : options(wanted) { start(); }
    void start() {
        database = take(storage::Database::open(folder.file("logs.db"), storage::Durability::normal));
        store = std::make_unique<FunctionLogStore>(loop, *pool, *database, options, logger, metrics);
        take(store->open());
    }
    void restart() {
        store.reset();
        database.reset();
        start();
    }
    void run(std::chrono::milliseconds time) {
        auto stay = boost::asio::make_work_guard(loop);
        loop.restart();
        loop.run_for(time);
    }
    void write(const std::string& message, const std::string& function = "hello") {
        store->write(line(message, function));
    }
    std::vector<std::string> read(LogQuery query = {}) {
        query.workspace = "default";
        if (query.function.empty()) query.function = "hello";
        std::vector<std::string> out;
        for (const auto& one : take(store->query(query))) out.push_back(one.record.message);
        return out;
    }
    uint64_t dropped() { return metrics.counter("hks_function_log_lines_dropped_total", "").value(); }
    int64_t on_disk() {
        auto s = take(database->prepare("SELECT count(*) FROM log_blocks"));
        REQUIRE(take(s.step()));
        return s.integer(0);
    }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a block gives back what was put into it") {
    std::vector<StoredLog> lines;
    for (int i = 0; i < 6; ++i) {
        StoredLog one{1'000'000 + i * i, line("message " + std::to_string(i))};
        one.record.time = from_micros(900'000 - i * 1000);
        one.record.level = static_cast<LogLevel>(i % 4);
        one.record.version = i * 100;
        one.record.stream =
            Lines{"stdout", "stderr", "log", "platform", "", "something else"}[static_cast<size_t>(i)];
        one.record.invocation_id = Lines{
            "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef", "", "short",
            "ffffffffffffffffffffffffffffffff", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"}[static_cast<size_t>(i)];
        lines.push_back(one);
    }
    LogBlock block;
    for (const auto& one : lines) block.add(one);
    std::vector<StoredLog> out;
    REQUIRE(read_block(block.data(), block.first_key(), out));
    REQUIRE(out.size() == lines.size());
    for (size_t i = 0; i < lines.size(); ++i) {
        CHECK(out[i].key == lines[i].key);
        CHECK(out[i].record.time == lines[i].record.time);
        CHECK(out[i].record.level == lines[i].record.level);
        CHECK(out[i].record.version == lines[i].record.version);
        CHECK(out[i].record.stream == lines[i].record.stream);
        CHECK(out[i].record.invocation_id == lines[i].record.invocation_id);
        CHECK(out[i].record.message == lines[i].record.message);
    }
    CHECK(block.min_time() == 895'000);
    CHECK(block.max_time() == 900'000);
    CHECK(block.max_level() == 3);
}

TEST_CASE("a block that was cut anywhere is refused or shorter, never read beyond its end") {
    LogBlock block;
    block.add({1, line("one")});
    block.add({2, line("two")});
    for (size_t size = 0; size < block.data().size(); ++size) {
        std::vector<StoredLog> out;
        read_block(block.data().substr(0, size), 1, out);
        CHECK(out.size() < 2);
    }
}

TEST_CASE("a line can be read at once, before it is on the disk") {
    Fixture f;
    f.write("one");
    f.write("two");
    CHECK(f.on_disk() == 0);
    CHECK(f.read() == Lines{"one", "two"});
}

TEST_CASE("a line is on the disk within 200 ms and read once") {
    Fixture f;
    f.write("one");
    f.run(400ms);
    CHECK(f.on_disk() == 1);
    f.write("two");
    CHECK(f.read() == Lines{"one", "two"});
}

TEST_CASE("nothing runs when nobody logs") {
    Fixture f;
    f.loop.restart();
    CHECK(f.loop.run_for(50ms) == 0);
    f.write("one");
    f.run(400ms);
    f.loop.restart();
    CHECK(f.loop.run_for(50ms) == 0);
}

TEST_CASE("a thousand lines do not wait for the timer") {
    Fixture f;
    for (int i = 0; i < 2500; ++i) f.write(std::to_string(i));
    auto begin = std::chrono::steady_clock::now();
    while (f.on_disk() == 0 && std::chrono::steady_clock::now() - begin < 5s) f.run(1ms);
    CHECK(f.on_disk() > 0);
    LogQuery query;
    query.limit = 10'000;
    auto lines = f.read(query);
    REQUIRE(lines.size() == 2500);
    CHECK(lines.front() == "0");
    CHECK(lines.back() == "2499");
}

TEST_CASE("lines survive a stop and a restart with everything they carry") {
    Fixture f;
    auto record = line("Traceback\n  line 1\nünïcode");
    record.level = LogLevel::error;
    record.stream = "stderr";
    f.store->write(record);
    f.restart();
    auto got = take(f.store->query({"default", "hello"}));
    REQUIRE(got.size() == 1);
    CHECK(got[0].record.message == record.message);
    CHECK(got[0].record.level == LogLevel::error);
    CHECK(got[0].record.stream == "stderr");
    CHECK(got[0].record.version == 3);
    CHECK(got[0].record.invocation_id == record.invocation_id);
    CHECK(got[0].record.time == record.time);
    CHECK(got[0].record.workspace == "default");
    CHECK(got[0].record.function == "hello");
}

TEST_CASE("keys grow over a restart, also when the clock went back") {
    Fixture f;
    f.write("one", "other");
    f.write("two");
    f.restart();
    // As if lines had been written by a clock that was a day ahead.
    take(f.database->execute("UPDATE log_blocks SET last_key = last_key + 86400000000"));
    f.restart();
    f.write("three");
    auto got = take(f.store->query({"default", "hello"}));
    REQUIRE(!got.empty());
    CHECK(got.back().record.message == "three");
    auto s = take(f.database->prepare("SELECT max(last_key) FROM log_blocks"));
    REQUIRE(take(s.step()));
    CHECK(got.back().key > s.integer(0));
}

TEST_CASE("each function sees its own lines only") {
    Fixture f;
    f.write("mine");
    f.write("theirs", "other");
    auto record = line("elsewhere");
    record.workspace = "another";
    f.store->write(record);
    CHECK(f.read() == Lines{"mine"});
    f.restart();
    CHECK(f.read() == Lines{"mine"});
    CHECK(f.read({"", "other"}) == Lines{"theirs"});
    CHECK(f.read({"", "nobody"}).empty());
}

TEST_CASE("lines are found by level, version, invocation and time, in memory and on the disk") {
    Fixture f;
    auto base =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()) - 1h;
    for (int i = 0; i < 8; ++i) {
        auto record = line(std::to_string(i));
        record.level = static_cast<LogLevel>(i % 4);
        record.version = i < 4 ? 1 : 2;
        record.invocation_id = i % 2 ? "odd" : "even";
        record.time = base + std::chrono::minutes(i);
        f.store->write(record);
    }
    bool disk = GENERATE(false, true);
    if (disk) f.restart();
    LogQuery query;
    SECTION("level") {
        query.min_level = LogLevel::warn;
        CHECK(f.read(query) == Lines{"2", "3", "6", "7"});
    }
    SECTION("version") {
        query.version = 2;
        CHECK(f.read(query) == Lines{"4", "5", "6", "7"});
    }
    SECTION("invocation") {
        query.invocation_id = "odd";
        CHECK(f.read(query) == Lines{"1", "3", "5", "7"});
    }
    SECTION("time, both ends included") {
        query.since = base + 2min;
        query.until = base + 4min;
        CHECK(f.read(query) == Lines{"2", "3", "4"});
    }
    SECTION("a time in which nothing was") {
        query.until = base - 1min;
        CHECK(f.read(query).empty());
    }
    SECTION("all at once") {
        query.min_level = LogLevel::info;
        query.version = 2;
        query.invocation_id = "odd";
        query.since = base + 6min;
        CHECK(f.read(query) == Lines{"7"});
    }
}

TEST_CASE("pages by key miss and repeat nothing, over the border between disk and memory") {
    Fixture f;
    Lines wanted, got;
    for (int i = 0; i < 50; ++i) {
        f.write(std::to_string(i));
        wanted.push_back(std::to_string(i));
        if (i == 20 || i == 30) f.restart();
    }
    LogQuery query{"default", "hello"};
    query.limit = 7;
    for (;;) {
        auto page = take(f.store->query(query));
        if (page.empty()) break;
        for (const auto& one : page) got.push_back(one.record.message);
        query.after_key = page.back().key;
    }
    CHECK(got == wanted);
}

TEST_CASE("the newest lines are given oldest first") {
    Fixture f;
    for (int i = 0; i < 6; ++i) {
        f.write(std::to_string(i));
        if (i == 3) f.restart();
    }
    LogQuery query;
    query.newest = true;
    query.limit = 4;
    CHECK(f.read(query) == Lines{"2", "3", "4", "5"});
    query.limit = 1;
    CHECK(f.read(query) == Lines{"5"});
    query.limit = 100;
    CHECK(f.read(query).size() == 6);
    query.limit = 0;
    CHECK(f.read(query).empty());
}

TEST_CASE("a line from the future or without a time is of now") {
    Fixture f;
    auto record = line("x");
    record.time += 100h;
    f.store->write(record);
    record.time = {};
    f.store->write(record);
    for (const auto& one : take(f.store->query({"default", "hello"}))) {
        CHECK(one.record.time <= std::chrono::system_clock::now());
        CHECK(one.record.time > std::chrono::system_clock::now() - 1min);
    }
}

TEST_CASE("a line that is too long is cut between characters, with a note") {
    LogStoreOptions options;
    options.max_line_bytes = 10;
    Fixture f(options);
    f.write("123456789ü and more");
    f.write("1234567890");
    auto lines = f.read();
    CHECK(lines[0] == "123456789 … (cut, the line has 20 bytes)");
    CHECK(lines[1] == "1234567890");
}

TEST_CASE("lines beyond the limit are dropped, counted, and still shown to followers") {
    LogStoreOptions options;
    options.max_pending = 10;
    Fixture f(options);
    int seen = 0;
    auto handle = f.store->follow("default", "hello", [&](const StoredLog&) { ++seen; });
    for (int i = 0; i < 25; ++i) f.write(std::to_string(i));
    CHECK(f.dropped() == 15);
    CHECK(seen == 25);
    CHECK(f.read().size() == 10);
    f.run(400ms);
    f.write("again");
    CHECK(f.read().back() == "again");
    CHECK(f.dropped() == 15);
}

TEST_CASE("the text that waits is bounded in bytes too") {
    LogStoreOptions options;
    options.max_pending_bytes = 1000;
    Fixture f(options);
    for (int i = 0; i < 10; ++i) f.write(std::string(300, 'x'));
    CHECK(f.dropped() == 7);
}

TEST_CASE("a disk that cannot take lines costs these lines, is said once, and is tried again") {
    Fixture f;
    take(f.database->execute(
        "CREATE TRIGGER stop BEFORE INSERT ON log_blocks BEGIN SELECT raise(ABORT, 'no'); END"));
    f.write("one");
    f.run(400ms);
    f.write("two");
    f.run(400ms);
    CHECK(f.dropped() == 2);
    CHECK(f.logged.find("function logs cannot be kept") != std::string::npos);
    CHECK(f.logged.find("cannot be kept") == f.logged.rfind("cannot be kept"));
    take(f.database->execute("DROP TRIGGER stop"));
    f.write("three");
    f.restart();
    CHECK(f.read() == Lines{"three"});
}

TEST_CASE("a pool that is full is asked again") {
    Fixture f;
    f.store.reset();
    BlockingPool busy(1, 1);
    std::atomic<bool> go = false;
    auto wait = [&] {
        while (!go) std::this_thread::sleep_for(1ms);
    };
    while (busy.submit(wait)) std::this_thread::sleep_for(5ms);
    FunctionLogStore store(f.loop, busy, *f.database, f.options, f.logger, f.metrics);
    take(store.open());
    for (int i = 0; i < 1500; ++i) store.write(line("x"));
    f.run(300ms);
    CHECK(f.on_disk() == 0);
    go = true;
    f.run(600ms);
    CHECK(f.on_disk() > 0);
    LogQuery query{"default", "hello"};
    query.limit = 2000;
    CHECK(take(store.query(query)).size() == 1500);
    CHECK(f.dropped() == 0);
    store.stop();
    busy.stop();
}

TEST_CASE("what waits in a pool that stopped is flushed by stop()") {
    Fixture f;
    for (int i = 0; i < 1500; ++i) f.write("x");
    f.pool->stop();
    f.store->stop();
    f.store->stop();
    f.write("too late");
    CHECK(f.dropped() == 1);
    f.pool = std::make_unique<BlockingPool>(1, 10);
    f.restart();
    LogQuery query;
    query.limit = 2000;
    CHECK(f.read(query).size() == 1500);
}

TEST_CASE("a follower sees the lines of its function in order, in the turn in which they are written") {
    Fixture f;
    Lines seen;
    auto handle = f.store->follow("default", "hello",
                                  [&](const StoredLog& one) { seen.push_back(one.record.message); });
    f.write("one");
    f.write("not mine", "other");
    f.write("two");
    CHECK(seen == Lines{"one", "two"});
    handle.reset();
    f.write("three");
    CHECK(seen.size() == 2);
}

TEST_CASE("a follower's keys continue a query's") {
    Fixture f;
    f.write("one");
    auto last = take(f.store->query({"default", "hello"})).back().key;
    int64_t next = 0;
    auto handle = f.store->follow("default", "hello", [&](const StoredLog& one) { next = one.key; });
    f.write("two");
    CHECK(next > last);
    CHECK(take(f.store->query({"default", "hello"})).back().key == next);
}

TEST_CASE("followers may leave, and come, from within a line") {
    Fixture f;
    Lines seen;
    std::shared_ptr<void> one, two, three;
    one = f.store->follow("default", "hello", [&](const StoredLog&) {
        seen.push_back("one");
        one.reset();
        two.reset();
        three = f.store->follow("default", "hello", [&](const StoredLog&) { seen.push_back("three"); });
    });
    two = f.store->follow("default", "hello", [&](const StoredLog&) { seen.push_back("two"); });
    f.write("x");
    CHECK(seen == Lines{"one"});
    f.write("y");
    CHECK(seen == Lines{"one", "three"});
}

TEST_CASE("a follower may outlive the store") {
    Fixture f;
    auto handle = f.store->follow("default", "hello", [](const StoredLog&) {});
    f.store.reset();
    handle.reset();
}

TEST_CASE("a forgotten function has no lines, wherever they were; its successor has its own") {
    Fixture f;
    f.write("on disk");
    f.restart();
    f.write("pending");
    f.write("other", "other");
    f.store->forget_function("default", "hello", "fn_1");
    CHECK(f.read().empty());
    f.write("new");
    CHECK(f.read() == Lines{"new"});
    f.run(400ms);
    CHECK(f.read() == Lines{"new"});
    f.restart();
    CHECK(f.read() == Lines{"new"});
    CHECK(f.read({"", "other"}) == Lines{"other"});
    CHECK(f.on_disk() == 2);
}

TEST_CASE("the last lines of a deleted function are nobody's, also where its name is used again") {
    Fixture f;
    const auto line_of = [](const std::string& id, const std::string& message) {
        auto record = line(message);
        record.function_id = id;
        return record;
    };
    f.store->write(line_of("fn_1", "early"));
    f.store->forget_function("default", "hello", "fn_1");
    Lines seen;
    const auto follower = f.store->follow("default", "hello",
                                          [&](const StoredLog& log) { seen.push_back(log.record.message); });
    f.store->write(line_of("fn_1", "late"));
    f.store->write(line_of("fn_2", "new"));
    f.run(400ms);
    f.store->write(line_of("fn_1", "later still"));
    CHECK(f.read() == Lines{"new"});
    CHECK(seen == Lines{"new"});
    f.restart();
    CHECK(f.read() == Lines{"new"});
    CHECK(f.dropped() == 0);
}

TEST_CASE("forgetting alone reaches the disk, too") {
    Fixture f;
    f.write("x");
    f.restart();
    f.store->forget_function("default", "hello", "fn_1");
    f.run(400ms);
    CHECK(f.on_disk() == 0);
}

TEST_CASE("the oldest lines go when there are too many bytes, and the file does not grow for ever") {
    LogStoreOptions options;
    options.max_bytes = 1 << 20;
    Fixture f(options);
    std::string text(10'000, 'x');
    for (int i = 0; i < 600; ++i) {
        f.write(std::to_string(i) + " " + text);
        if (i % 50 == 49) f.restart();
    }
    f.restart();
    LogQuery query;
    query.limit = 10'000;
    auto lines = f.read(query);
    CHECK(lines.size() > 50);
    CHECK(lines.size() < 110);
    CHECK(lines.back().starts_with("599 "));
    auto size = std::filesystem::file_size(f.folder.file("logs.db"));
    CHECK(size < 4u << 20);
}

TEST_CASE("lines that are too old are neither shown nor kept") {
    Fixture f;
    auto record = line("old");
    f.store->write(record);
    f.restart();
    take(f.database->execute(
        "UPDATE log_blocks SET key = key - 700000000000, last_key = last_key - 700000000000,"
        " min_time = min_time - 700000000000, max_time = max_time - 700000000000"));
    f.write("new");
    CHECK(f.read() == Lines{"new"});
    f.restart();
    CHECK(f.on_disk() == 1);
    CHECK(f.read() == Lines{"new"});
}

TEST_CASE("a damaged block is said and passed over") {
    Fixture f;
    f.write("one");
    f.restart();
    f.write("two");
    f.restart();
    take(f.database->execute(
        "UPDATE log_blocks SET data = zeroblob(length(data)) WHERE key = (SELECT min(key) FROM log_blocks)"));
    CHECK(f.read() == Lines{"two"});
    CHECK(f.logged.find("log_blocks") != std::string::npos);
}

TEST_CASE("queries from other threads see every line once while it moves to the disk") {
    Fixture f;
    constexpr int count = 5000;
    std::atomic<bool> done = false;
    std::atomic<int> wrong = 0;
    std::thread reader([&] {
        while (!done) {
            LogQuery query{"default", "hello"};
            query.limit = count;
            auto got = f.store->query(query);
            if (!got) ++wrong;
            for (size_t i = 0; got && i < got->size(); ++i)
                if ((*got)[i].record.message != std::to_string(i)) ++wrong;
        }
    });
    for (int i = 0; i < count; ++i) {
        f.write(std::to_string(i));
        if (i % 100 == 0) f.run(2ms);
    }
    f.run(300ms);
    done = true;
    reader.join();
    CHECK(wrong == 0);
}
