// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <dispatch/scaling_rule.hpp>

using namespace hks::dispatch;
using namespace std::chrono_literals;

namespace {

PoolLoad load_of(size_t waiting, size_t starting, size_t ready, nanoseconds service,
                 nanoseconds stalled = 0ns, nanoseconds starting_for = 0ns) {
    PoolLoad load;
    load.waiting = waiting;
    load.starting = starting;
    load.ready = ready;
    load.max_scale = 100;
    load.known = service > 0ns;
    load.service = service;
    load.stalled = stalled;
    load.starting_for = starting_for;
    load.start_time = 5ms;
    return load;
}

}  // namespace

TEST_CASE("instances to start, by load") {
    struct Row {
        const char* name;
        PoolLoad load;
        size_t starts;
    };
    const Row rows[] = {
        {"nobody waits", load_of(0, 0, 0, 500ms), 0},
        {"an empty pool starts one at once", load_of(1, 0, 0, 0ns), 1},
        {"an unknown burst starts one and waits for evidence", load_of(100, 0, 0, 0ns), 1},
        {"an unknown burst does not start again while the first comes up", load_of(100, 1, 0, 0ns), 0},
        {"a start that takes very long is joined by a few", load_of(100, 1, 0, 0ns, 0ns, 21ms), 3},
        {"but not by more than wait", load_of(2, 1, 0, 0ns, 0ns, 21ms), 1},
        {"a running call that does not answer is evidence", load_of(99, 0, 1, 0ns, 1ms), 19},
        {"more evidence, more instances", load_of(99, 19, 1, 0ns, 2ms), 20},
        {"a known slow burst gets one each at once", load_of(100, 0, 0, 500ms), 100},
        {"waiting calls that a starting instance will take start nothing", load_of(3, 3, 0, 500ms), 0},
        {"one more than starting", load_of(4, 3, 0, 500ms), 1},
        {"a busy slow instance and one waiting call", load_of(1, 0, 1, 500ms), 1},
        {"a known fast burst is carried by one", load_of(15, 0, 1, 40us), 0},
        {"a known fast burst on an empty pool starts one", load_of(100, 0, 0, 40us), 1},
        {"short waits are not worth a start", load_of(1, 0, 10, 20ms), 0},
        {"a queue whose wait is longer than a start is", load_of(10, 0, 2, 10ms), 10},
        {"never beyond the limit", load_of(1000, 40, 50, 500ms), 10},
        {"at the limit", load_of(1000, 0, 100, 500ms), 0},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(instances_to_start(row.load) == row.starts);
    }
}

TEST_CASE("an instance that runs several calls counts as several slots") {
    PoolLoad load = load_of(32, 0, 0, 500ms);
    load.calls_each = 16;
    CHECK(instances_to_start(load) == 2);
    load.waiting = 33;
    CHECK(instances_to_start(load) == 3);
}

TEST_CASE("calls are sent ahead only while they are short") {
    ServiceTimes times;
    CHECK(send_ahead_limit(times) == 1);
    for (int i = 0; i < 20; ++i) times.record(40us);
    CHECK(send_ahead_limit(times) == 25);
    times.record(500ms);
    CHECK(send_ahead_limit(times) == 1);
    for (int i = 0; i < 15; ++i) times.record(1us);
    CHECK(send_ahead_limit(times) == 1);
}

TEST_CASE("one long call is forgotten after sixteen short ones that bring the mean down") {
    ServiceTimes times;
    times.record(40us);
    times.record(10ms);
    for (int i = 0; i < 16; ++i) times.record(40us);
    CHECK(times.recent_max() == 40us);
    for (int i = 0; i < 20; ++i) times.record(40us);
    CHECK(send_ahead_limit(times) > 1);
}

TEST_CASE("no more than 64 calls go to one instance however short they are") {
    ServiceTimes times;
    for (int i = 0; i < 20; ++i) times.record(1us);
    CHECK(send_ahead_limit(times) == 64);
}

TEST_CASE("the mean follows the runs") {
    ServiceTimes times;
    for (int i = 0; i < 100; ++i) times.record(i % 2 ? 500ms : 1us);
    CHECK(times.mean() > 200ms);
    CHECK(times.mean() < 300ms);
}

TEST_CASE("Retry-After is the forecast between a second and a minute") {
    CHECK(retry_after(load_of(10, 0, 1, 40us)) == 1s);
    CHECK(retry_after(load_of(99, 0, 10, 500ms)) == 5s);
    CHECK(retry_after(load_of(100000, 0, 1, 500ms)) == 60s);
}

TEST_CASE("back-off doubles up to half a minute") {
    CHECK(start_back_off(0) == 0ms);
    CHECK(start_back_off(1) == 100ms);
    CHECK(start_back_off(2) == 200ms);
    CHECK(start_back_off(9) == 25600ms);
    CHECK(start_back_off(10) == 30s);
    CHECK(start_back_off(4000000000u) == 30s);
    CHECK(crash_back_off(1) == 0ms);
    CHECK(crash_back_off(2) == 0ms);
    CHECK(crash_back_off(3) == 100ms);
    CHECK(crash_back_off(4000000000u) == 2s);
}
