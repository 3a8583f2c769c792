// SPDX-License-Identifier: Apache-2.0
#include "runtime/process/prepared_pool.hpp"

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::runtime;
using namespace std::chrono_literals;

namespace {

/// Workers are numbers here: the pool never looks into one. Even ones are up.
std::shared_ptr<Worker> worker(uintptr_t number) {
    return {std::shared_ptr<void>(), reinterpret_cast<Worker*>(number)};
}
bool is_up(const Worker& each) {
    return reinterpret_cast<uintptr_t>(&each) % 2 == 0;
}

struct PoolWorld {
    PreparedPool pool{{2, 5}, {1, 1}, 2, is_up};
    SteadyTime now{1h};
    uintptr_t last = 0;

    void fill() {
        while (const auto kind = pool.missing()) pool.add(*kind, worker(++last));
    }
    size_t take(const PreparedKind& kind, int times) {
        size_t found = 0;
        for (int i = 0; i < times; i++) found += pool.take(kind, now) != nullptr;
        return found;
    }
};

PreparedKind python(const std::string& workspace) {
    return {StartMethod::zygote, "/usr/bin/python3", workspace, 0, 0};
}
PreparedKind node(uint64_t memory) {
    return {StartMethod::prepared, "/usr/bin/node", "", memory, 0};
}

}  // namespace

TEST_CASE("nothing is kept for a kind that nobody wants") {
    PoolWorld world;
    CHECK_FALSE(world.pool.missing());
    CHECK(world.pool.take(python("default"), world.now) == nullptr);
    CHECK_FALSE(world.pool.missing());
}

TEST_CASE("a wanted kind is kept at its least size, by start method") {
    PoolWorld world;
    world.pool.want(python("default"));
    world.pool.want(node(128));
    world.fill();
    CHECK(world.pool.size() == 3);
    CHECK(world.take(python("default"), 3) == 2);
    CHECK(world.take(node(128), 2) == 1);
}

TEST_CASE("forks are never given to another workspace") {
    PoolWorld world;
    world.pool.want(python("a"));
    world.fill();
    CHECK(world.pool.take(python("b"), world.now) == nullptr);
}

TEST_CASE("after a burst as many are kept as it took, up to the most, for ten minutes") {
    PoolWorld world;
    world.pool.want(python("default"));
    world.fill();
    world.take(python("default"), 4);
    world.fill();
    CHECK(world.pool.size() == 4);
    world.now += 2s;
    world.take(python("default"), 50);
    world.fill();
    CHECK(world.pool.size() == 5);
    CHECK(world.pool.surplus(world.now + 9min).empty());
    REQUIRE(world.pool.next_surplus());
    CHECK(*world.pool.next_surplus() == world.now + 10min);
    CHECK(world.pool.surplus(world.now + 10min).size() == 3);
    CHECK(world.pool.size() == 2);
    CHECK_FALSE(world.pool.next_surplus());
}

TEST_CASE("calls that come one after the other are no burst") {
    PoolWorld world;
    world.pool.want(python("default"));
    for (int i = 0; i < 20; i++) {
        world.fill();
        world.take(python("default"), 1);
        world.now += 1s;
    }
    world.fill();
    CHECK(world.pool.size() == 2);
}

TEST_CASE("the kind asked for longest ago makes room, within its start method") {
    PoolWorld world;
    world.pool.want(node(128));
    world.pool.want(python("a"));
    world.pool.want(python("b"));
    world.fill();
    CHECK(world.pool.want(python("a")).empty());
    CHECK(world.pool.want(python("c")).size() == 2);
    CHECK(world.pool.take(python("b"), world.now) == nullptr);
    CHECK(world.pool.take(node(128), world.now) != nullptr);
}

TEST_CASE("a worker that died is forgotten and missed") {
    PoolWorld world;
    world.pool.want(node(64));
    world.pool.add(node(64), worker(7));
    CHECK_FALSE(world.pool.missing());
    world.pool.forget(*worker(7));
    CHECK(world.pool.missing() == node(64));
}

TEST_CASE("a worker that is up is taken before one that is on its way") {
    PoolWorld world;
    world.pool.want(python("default"));
    world.pool.add(python("default"), worker(3));
    world.pool.add(python("default"), worker(4));
    CHECK(world.pool.take(python("default"), world.now) == worker(4));
    CHECK(world.pool.take(python("default"), world.now) == worker(3));
}
