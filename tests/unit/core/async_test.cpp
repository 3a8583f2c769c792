// SPDX-License-Identifier: Apache-2.0
#include <hks/core/async/blocking_pool.hpp>
#include <hks/core/async/watch.hpp>

#include <atomic>
#include <catch2/catch.hpp>
#include <future>

using namespace hks;

namespace {

/// Holds a pool's thread until it is let go.
struct Gate {
    std::promise<void> entered;
    std::promise<void> open;
    std::shared_future<void> opened = open.get_future().share();

    std::function<void()> task() {
        return [this] {
            entered.set_value();
            opened.wait();
        };
    }
};

}  // namespace

TEST_CASE("a pool runs what it is given") {
    BlockingPool pool(2, 10);
    std::promise<int> done;
    REQUIRE(pool.submit([&] { done.set_value(7); }));
    CHECK(done.get_future().get() == 7);
}

TEST_CASE("one thread keeps the order") {
    std::vector<int> order;
    std::promise<void> done;
    BlockingPool pool(1, 100);
    for (int i = 0; i < 50; ++i) REQUIRE(pool.submit([&order, i] { order.push_back(i); }));
    REQUIRE(pool.submit([&] { done.set_value(); }));
    done.get_future().wait();
    REQUIRE(order.size() == 50);
    CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("a full pool says no") {
    Gate gate;
    BlockingPool pool(1, 2);
    REQUIRE(pool.submit(gate.task()));
    gate.entered.get_future().wait();
    CHECK(pool.submit([] {}));
    CHECK(pool.submit([] {}));
    CHECK_FALSE(pool.submit([] {}));
    gate.open.set_value();
}

TEST_CASE("stopping finishes what runs and drops what waits") {
    Gate gate;
    std::atomic<bool> finished{false};
    std::atomic<bool> waiting_ran{false};
    auto token = std::make_shared<int>(0);
    BlockingPool pool(1, 10);
    REQUIRE(pool.submit([&, task = gate.task()] {
        task();
        finished = true;
    }));
    gate.entered.get_future().wait();
    REQUIRE(pool.submit([&waiting_ran, token] { waiting_ran = true; }));
    std::thread opener([&] {
        // Opens only once stop() has let go of the waiting task.
        while (token.use_count() > 1) std::this_thread::yield();
        gate.open.set_value();
    });
    pool.stop();
    opener.join();
    CHECK(finished);
    CHECK_FALSE(waiting_ran);
}

TEST_CASE("a stopped pool says no and may be stopped again") {
    BlockingPool pool(2, 10);
    pool.stop();
    CHECK_FALSE(pool.submit([] {}));
    pool.stop();
}

TEST_CASE("many threads may submit at once") {
    std::atomic<int> ran{0};
    std::atomic<int> accepted{0};
    {
        BlockingPool pool(3, 50);
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                for (int i = 0; i < 500; ++i) accepted += pool.submit([&] { ++ran; });
            });
        for (auto& thread : threads) thread.join();
        while (ran != accepted) std::this_thread::yield();
    }
    CHECK(ran == accepted);
    CHECK(ran > 0);
}

TEST_CASE("a watch gives the newest value and tells its subscribers") {
    Watch<int> watch(std::make_shared<const int>(1));
    int seen = 0;
    const auto token = watch.subscribe([&] { seen = *watch.get(); });
    watch.set(std::make_shared<const int>(2));
    CHECK(seen == 2);
    watch.unsubscribe(token);
    watch.set(std::make_shared<const int>(3));
    CHECK(seen == 2);
    CHECK(*watch.get() == 3);
}

TEST_CASE("a value that was taken from a watch outlives the next one") {
    Watch<std::string> watch(std::make_shared<const std::string>("old"));
    const auto old = watch.get();
    watch.set(std::make_shared<const std::string>("new"));
    CHECK(*old == "old");
}

TEST_CASE("a subscriber may unsubscribe while it is called") {
    Watch<int> watch;
    int calls = 0;
    uint64_t token = 0;
    token = watch.subscribe([&] {
        ++calls;
        watch.unsubscribe(token);
    });
    watch.set(std::make_shared<const int>(1));
    watch.set(std::make_shared<const int>(2));
    CHECK(calls == 1);
}
