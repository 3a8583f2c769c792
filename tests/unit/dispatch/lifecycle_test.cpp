// SPDX-License-Identifier: Apache-2.0
#include "pool_world.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <list>

using namespace hks;
using namespace hks::test;

namespace {

/// Instances that become ready after `start` and answer after what `service` says for the n-th call.
class Simulation {
  public:
    Simulation(PoolWorld& world, std::chrono::microseconds start,
               std::function<std::chrono::microseconds(const Call&)> service)
        : world_(world), start_(start), service_(std::move(service)) {}

    void run(std::chrono::microseconds time) {
        const SteadyTime until = world_.clock.steady() + time;
        while (world_.clock.steady() < until) {
            step();
            world_.pass(50us);
        }
    }

  private:
    struct Seen {
        SteadyTime since;
        bool ready = false;
        Call* head = nullptr;
    };

    void step() {
        const SteadyTime now = world_.clock.steady();
        for (FakeInstance* instance : std::vector(world_.backend.live)) {
            Seen& seen = seen_.try_emplace(instance->serial(), Seen{now}).first->second;
            if (instance->draining && instance->sent.empty()) {
                instance->obey();
                continue;
            }
            if (!seen.ready) {
                if (now - seen.since < start_) continue;
                seen.ready = true;
                instance->become_ready();
            }
            if (instance->sent.empty()) {
                seen.head = nullptr;
            } else if (seen.head != instance->sent.front()) {
                seen.head = instance->sent.front();
                seen.since = now;
            }
            if (seen.head && now - seen.since >= service_(*seen.head)) {
                seen.head = nullptr;
                instance->answer();
            }
        }
        world_.settle();
    }

    PoolWorld& world_;
    std::chrono::microseconds start_;
    std::function<std::chrono::microseconds(const Call&)> service_;
    std::map<uint64_t, Seen> seen_;
};

}  // namespace

TEST_CASE("a burst on an unknown slow function gets its instances a few milliseconds later") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    Simulation simulation(world, 3ms, [](const Call&) { return 500ms; });
    std::list<FakeCall> calls(100);
    for (auto& call : calls) pool->invoke(call);
    CHECK(world.backend.starts == 1);
    simulation.run(15ms);
    CHECK(world.backend.starts == 100);
    simulation.run(510ms);
    for (const auto& call : calls) CHECK(call.status == 200);
}

TEST_CASE("a burst on a known slow function starts all its instances at once") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    world.teach(*pool, 100ms, 5);
    std::list<FakeCall> calls(100);
    for (auto& call : calls) pool->invoke(call);
    CHECK(world.backend.live.size() == 100);
}

TEST_CASE("sixteen connections on a fast function are carried by one instance") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    Simulation simulation(world, 3ms, [](const Call&) { return 50us; });
    std::list<FakeCall> calls;
    for (int turn = 0; turn < 200; ++turn) {
        size_t inside = world.set->inside;
        for (; inside < 16; ++inside) pool->invoke(calls.emplace_back());
        simulation.run(100us);
    }
    CHECK(world.backend.starts == 1);
    CHECK(pool->status().requests > 100);
}

TEST_CASE("calls of no time are not held up by slow ones once both are known") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    Simulation simulation(world, 3ms,
                          [](const Call& call) { return call.request.attempt == 2 ? 500ms : 0ms; });
    std::list<FakeCall> calls;
    const auto call = [&](int n) {
        FakeCall& fresh = calls.emplace_back();
        fresh.request.attempt = n % 2 + 1;
        pool->invoke(fresh);
    };
    for (int i = 0; i < 20; ++i) {
        call(i);
        simulation.run(100ms);
    }
    simulation.run(1000ms);
    const auto known = std::prev(calls.end());
    for (int i = 0; i < 40; ++i) {
        call(i);
        simulation.run(10ms);
    }
    simulation.run(1000ms);
    for (auto it = std::next(known); it != calls.end(); ++it) {
        REQUIRE(it->ends == 1);
        if (it->request.attempt == 1) CHECK(it->times.answered - it->times.queued < 20ms);
    }
}

TEST_CASE("a fast function that stalls gets another instance for those that wait") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    bool stall = false;
    Simulation simulation(world, 3ms,
                          [&](const Call& call) { return stall && call.request.attempt == 7 ? 5s : 50us; });
    std::list<FakeCall> calls;
    for (int i = 0; i < 40; ++i) {
        pool->invoke(calls.emplace_back());
        simulation.run(100us);
    }
    stall = true;
    FakeCall& stuck = calls.emplace_back();
    stuck.request.attempt = 7;
    pool->invoke(stuck);
    simulation.run(10ms);
    std::list<FakeCall> behind(100);
    for (auto& call : behind) pool->invoke(call);
    REQUIRE(pool->waiting() > 0);
    simulation.run(60ms);
    CHECK(pool->waiting() == 0);
    CHECK(world.backend.starts >= 2);
}

TEST_CASE("never more than maxScale instances") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.max_scale = 3;
    auto pool = world.set->pool(version);
    Simulation simulation(world, 3ms, [](const Call&) { return 50ms; });
    std::list<FakeCall> calls(20);
    for (auto& call : calls) pool->invoke(call);
    simulation.run(1000ms);
    CHECK(world.backend.starts == 3);
    for (const auto& call : calls) CHECK(call.status == 200);
}

TEST_CASE("idle instances stop after scaleDownDelay, and the machine has nothing to do afterwards") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    Simulation simulation(world, 3ms, [](const Call&) { return 20ms; });
    std::list<FakeCall> calls(10);
    for (auto& call : calls) pool->invoke(call);
    simulation.run(200ms);
    REQUIRE(pool->status().ready > 1);
    world.pass(29s);
    CHECK(pool->status().ready > 1);
    world.pass(2s);
    CHECK(pool->status().ready == 0);
    for (FakeInstance* instance : std::vector(world.backend.live)) {
        CHECK(instance->draining);
        instance->obey();
    }
    world.pass(1s);
    const size_t wakes = world.wakes;
    world.pass(3600s);
    CHECK(world.wakes == wakes);
}

TEST_CASE("an instance that is used does not stop") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    world.teach(*pool, 1ms, 1);
    for (int i = 0; i < 10; ++i) {
        world.pass(25s);
        FakeCall call;
        pool->invoke(call);
        world.backend.at(0).answer();
    }
    CHECK(world.backend.starts == 1);
    CHECK_FALSE(world.backend.at(0).draining);
}

TEST_CASE("minScale instances run without a call and are replaced when they die") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.min_scale = 2;
    world.publish({version});
    REQUIRE(world.backend.live.size() == 2);
    world.backend.at(0).become_ready();
    world.backend.at(1).become_ready();
    world.pass(120s);
    CHECK(world.backend.live.size() == 2);
    CHECK_FALSE(world.backend.at(0).draining);
    world.backend.at(0).die(0);
    world.settle();
    CHECK(world.backend.live.size() == 2);
    CHECK(world.backend.starts == 3);
}

TEST_CASE("warm keeps idle instances beyond the busy ones") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.warm = 1;
    world.publish({version});
    REQUIRE(world.backend.live.size() == 1);
    world.backend.at(0).become_ready();
    FakeCall call;
    world.set->pool(version)->invoke(call);
    world.pass(3ms);
    CHECK(world.backend.live.size() == 2);
    world.backend.at(1).become_ready();
    world.backend.at(0).answer();
    world.pass(60s);
    CHECK(world.set->pool(version)->status().ready == 1);
}

TEST_CASE("a new active version: the old one's idle instances go, its running calls finish") {
    PoolWorld world;
    auto one = world.make_version("hello", 1);
    auto two = world.make_version("hello", 2);
    one->spec.scaling.max_scale = 2;
    one->spec.scaling.min_scale = 2;
    world.publish({one});
    auto pool = world.set->pool(one);
    world.backend.at(0).become_ready();
    world.backend.at(1).become_ready();
    FakeInstance &idle = world.backend.at(0), &busy = world.backend.at(1);
    FakeCall running, waiting;
    pool->invoke(running);
    REQUIRE(busy.sent.size() == 1);
    world.publish({two}, {one});
    CHECK(idle.draining);
    CHECK_FALSE(busy.draining);
    busy.answer();
    CHECK(running.status == 200);
    CHECK(busy.draining);
    CHECK(world.backend.starts == 2);
}

TEST_CASE("an old version that is called by number lives as usual") {
    PoolWorld world;
    auto one = world.make_version("hello", 1);
    auto two = world.make_version("hello", 2);
    world.publish({two}, {one});
    auto pool = world.set->pool(one);
    world.teach(*pool, 1ms, 2);
    CHECK(world.backend.starts == 1);
    CHECK_FALSE(world.backend.at(0).draining);
}

TEST_CASE("a call that waited when its version was replaced still gets its answer") {
    PoolWorld world;
    auto one = world.make_version("hello", 1);
    auto two = world.make_version("hello", 2);
    world.publish({one});
    auto pool = world.set->pool(one);
    FakeCall call;
    pool->invoke(call);
    world.publish({two}, {one});
    world.backend.at(0).become_ready();
    world.backend.at(0).answer();
    CHECK(call.status == 200);
    CHECK(world.backend.at(0).draining);
}

TEST_CASE("a deleted function: waiting calls are 404, running ones finish, the pool goes") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.max_scale = 1;
    world.publish({version});
    auto pool = world.set->pool(version);
    FakeCall running, waiting, late;
    pool->invoke(running);
    world.backend.at(0).become_ready();
    pool->invoke(waiting);
    world.publish({});
    CHECK(waiting.status == 404);
    CHECK_FALSE(running.over());
    pool->invoke(late);
    CHECK(late.status == 404);
    world.backend.at(0).answer();
    CHECK(running.status == 200);
    CHECK(world.backend.at(0).draining);
    world.backend.at(0).obey();
    world.settle();
    CHECK(world.backend.destroyed == 1);
    CHECK(world.set->status("default", "hello").empty());
    FakeCall after;
    pool->invoke(after);
    CHECK(after.status == 404);
}

TEST_CASE("a full host evicts the instance that has been idle longest") {
    dispatch::DispatcherOptions options;
    options.max_instances = 2;
    PoolWorld world(options);
    auto one = world.set->pool(world.make_version("one"));
    auto two = world.set->pool(world.make_version("two"));
    auto three = world.set->pool(world.make_version("three"));
    world.teach(*one, 1ms, 1);
    world.pass(1s);
    world.teach(*two, 1ms, 1);
    FakeInstance &oldest = world.backend.at(0), &newer = world.backend.at(1);
    FakeCall call;
    three->invoke(call);
    CHECK(oldest.draining);
    CHECK_FALSE(newer.draining);
    CHECK(world.backend.starts == 3);
}

TEST_CASE("an instance that minScale asks for is not evicted; the call waits for room") {
    dispatch::DispatcherOptions options;
    options.max_instances = 1;
    PoolWorld world(options);
    auto kept = world.make_version("kept");
    kept->spec.scaling.min_scale = 1;
    auto other = world.make_version("other");
    world.publish({kept, other});
    world.backend.at(0).become_ready();
    FakeCall call;
    world.set->pool(other)->invoke(call);
    CHECK(world.backend.starts == 1);
    world.publish({other});
    world.settle();
    CHECK(world.backend.starts == 2);
}

TEST_CASE("a pool that found the host full starts when an instance elsewhere falls idle") {
    dispatch::DispatcherOptions options;
    options.max_instances = 1;
    PoolWorld world(options);
    auto one = world.set->pool(world.make_version("one"));
    auto two = world.set->pool(world.make_version("two"));
    FakeCall a, b;
    one->invoke(a);
    world.backend.at(0).become_ready();
    two->invoke(b);
    CHECK(world.backend.starts == 1);
    world.backend.at(0).answer();
    CHECK(world.backend.at(0).draining);
    REQUIRE(world.backend.starts == 2);
    world.backend.at(1).become_ready();
    world.backend.at(1).answer();
    CHECK(b.status == 200);
}

TEST_CASE("runtimes of active versions are made ready ahead of calls, each once") {
    PoolWorld world;
    auto one = world.make_version("one"), two = world.make_version("two"), node = world.make_version("node");
    node->spec.runtime = {"node", "20"};
    world.publish({one, two, node});
    world.publish({one, two, node});
    CHECK(world.backend.prepared.size() == 2);
}

TEST_CASE("stop waits for the calls inside, then for the instances") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall running, waiting, late;
    pool->invoke(running);
    world.backend.at(0).become_ready();
    pool->invoke(waiting);
    int done = 0;
    bool clean = false;
    world.set->stop(world.clock.steady() + 10s, [&](bool c) {
        ++done;
        clean = c;
    });
    pool->invoke(late);
    CHECK(late.status == 503);
    CHECK(late.failure.error.retry_after >= 1s);
    world.pass(1s);
    CHECK(done == 0);
    CHECK_FALSE(world.backend.at(0).draining);
    world.backend.at(0).answer();
    for (FakeInstance* instance : std::vector(world.backend.live))
        if (instance->sent.empty() && instance->serial() > 1) instance->become_ready();
    for (FakeInstance* instance : std::vector(world.backend.live))
        while (!instance->sent.empty()) instance->answer();
    CHECK((running.status == 200 && waiting.status == 200));
    world.settle();
    for (FakeInstance* instance : std::vector(world.backend.live)) {
        CHECK(instance->draining);
        instance->obey();
    }
    world.settle();
    CHECK(done == 1);
    CHECK(clean);
}

TEST_CASE("stop gives up at its deadline: calls fail and instances are killed") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.max_scale = 1;
    auto pool = world.set->pool(version);
    FakeCall running, waiting;
    pool->invoke(running);
    world.backend.at(0).become_ready();
    pool->invoke(waiting);
    int done = 0;
    bool clean = true;
    world.set->stop(world.clock.steady() + 5s, [&](bool c) {
        ++done;
        clean = c;
    });
    world.pass(5s + 5ms);
    CHECK(waiting.status == 503);
    CHECK_FALSE(world.backend.at(0).killed.empty());
    world.backend.at(0).obey();
    world.settle();
    CHECK(running.status == 502);
    CHECK(done == 1);
    CHECK_FALSE(clean);
}

TEST_CASE("stop without calls and instances is done at once") {
    PoolWorld world;
    int done = 0;
    world.set->stop(world.clock.steady() + 5s, [&](bool clean) { done += clean; });
    world.settle();
    CHECK(done == 1);
}

TEST_CASE("stop does not wait for ever for an instance that does not go") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    world.teach(*pool, 1ms, 1);
    int done = 0;
    bool clean = true;
    world.set->stop(world.clock.steady() + 5s, [&](bool c) {
        ++done;
        clean = c;
    });
    world.pass(60s);
    CHECK(done == 1);
    CHECK_FALSE(clean);
}
