// SPDX-License-Identifier: Apache-2.0
#include "pool_world.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

#include <list>

using namespace hks;
using namespace hks::test;

namespace {

/// Three short calls with one instance: the first runs, the others have been sent ahead.
struct SentAhead {
    PoolWorld world;
    std::shared_ptr<dispatch::VersionPool> pool = world.set->pool(world.make_version());
    FakeCall a, b, c;

    SentAhead() {
        world.teach(*pool, 40us, 40);
        pool->invoke(a);
        pool->invoke(b);
        pool->invoke(c);
        REQUIRE(world.backend.at(0).sent.size() == 3);
    }
};

bool logged(const PoolWorld& world, std::string_view text) {
    for (const auto& line : world.logs.lines)
        if (line.stream == "platform" && line.message.find(text) != std::string::npos) return true;
    return false;
}

}  // namespace

TEST_CASE("a crash fails the call that ran and moves those sent ahead to another instance, in order") {
    SentAhead t;
    FakeCall waiting;
    t.world.backend.at(0).die(1);
    t.world.settle();
    CHECK(t.a.status == 502);
    CHECK(t.a.failure.error.code == Errc::worker_failed);
    CHECK(t.a.failure.error.message.find("killed by signal 9") != std::string::npos);
    CHECK(logged(t.world, "died"));
    REQUIRE(t.world.backend.live.size() == 1);
    t.world.backend.at(0).become_ready();
    REQUIRE(t.world.backend.at(0).sent.size() == 2);
    CHECK(t.world.backend.at(0).sent[0]->id.text() == t.b.id.text());
    t.world.backend.at(0).answer();
    t.world.backend.at(0).answer();
    CHECK((t.a.ends == 1 && t.b.ends == 1 && t.c.ends == 1));
    CHECK((t.b.status == 200 && t.c.status == 200));
    CHECK(t.world.backend.destroyed == 1);
}

TEST_CASE("calls that come back are served before those that wait, with their full time to wait") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.max_scale = 1;
    version->spec.resources.queue_timeout = 10s;
    auto pool = world.set->pool(version);
    world.teach(*pool, 900us / 64, 40);
    std::list<FakeCall> calls(70);
    for (auto& call : calls) pool->invoke(call);
    REQUIRE(pool->waiting() > 0);
    world.pass(9s);
    const size_t ahead = world.backend.at(0).sent.size() - 1;
    world.backend.at(0).die(1);
    world.pass(2s);  // those that had waited all along are out of time now, those that came back are not
    CHECK(pool->waiting() == ahead);
    world.backend.at(0).become_ready();
    while (!world.backend.at(0).sent.empty()) world.backend.at(0).answer();
    size_t answered = 0;
    for (auto& call : calls) {
        CHECK(call.ends == 1);
        answered += call.status == 200;
    }
    CHECK(answered == ahead);
}

TEST_CASE("a call that came back can be cancelled") {
    SentAhead t;
    t.world.backend.at(0).die(1);
    t.pool->cancel(t.b);
    t.world.backend.at(0).become_ready();
    CHECK(t.world.backend.at(0).sent.size() == 1);
    t.world.backend.at(0).answer();
    CHECK((t.b.ends == 0 && t.c.ends == 1));
    CHECK(t.world.set->inside == 0);
}

TEST_CASE("a cancelled call of an instance that dies is not heard of again") {
    SentAhead t;
    t.pool->cancel(t.a);
    t.pool->cancel(t.c);
    t.world.backend.at(0).die(1);
    t.world.backend.at(0).become_ready();
    CHECK(t.world.backend.at(0).sent.size() == 1);
    t.world.backend.at(0).answer();
    CHECK((t.a.ends == 0 && t.b.ends == 1 && t.c.ends == 0));
}

TEST_CASE("a call that the dead instance does not mention had its only try") {
    SentAhead t;
    t.world.backend.at(0).sent.pop_back();  // lost by the instance
    t.world.backend.at(0).die(1);
    CHECK(t.c.status == 502);
    CHECK(t.c.ends == 1);
}

TEST_CASE("out of memory says what to raise") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall call;
    pool->invoke(call);
    world.backend.at(0).become_ready();
    world.backend.at(0).die(1, "used more than 128Mi", false, true);
    CHECK(call.status == 502);
    CHECK(call.failure.error.message ==
          "The function used more than 128Mi of memory: raise resources.memory.");
    CHECK(logged(world, "raise resources.memory"));
}

TEST_CASE("a call over its time is 504, its instance is killed and those sent ahead go elsewhere") {
    SentAhead t;
    t.world.pass(31s);
    CHECK(t.a.status == 504);
    CHECK(t.a.failure.error.message.find("30s") != std::string::npos);
    CHECK(t.world.backend.at(0).killed == "did not answer within 30s");
    CHECK_FALSE(t.b.over());
    CHECK(logged(t.world, "did not answer within 30s"));
    t.world.backend.at(0).die(0, "did not answer within 30s", true);
    t.world.settle();
    REQUIRE(t.world.backend.live.size() == 1);
    t.world.backend.at(0).become_ready();
    t.world.pass(29s);
    CHECK_FALSE(t.b.over());
    t.world.backend.at(0).answer();
    t.world.backend.at(0).answer();
    CHECK((t.a.ends == 1 && t.b.ends == 1 && t.c.ends == 1));
}

TEST_CASE("the time of a call sent ahead begins when the one before it has its answer") {
    SentAhead t;
    t.world.pass(20s);
    t.world.backend.at(0).answer();
    t.world.pass(20s);
    CHECK_FALSE(t.b.over());
    t.world.pass(10s + 5ms);
    CHECK(t.b.status == 504);
}

TEST_CASE("a timeout is noticed within milliseconds and no timer runs afterwards") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.resources.timeout = 1s;
    auto pool = world.set->pool(version);
    FakeCall call;
    pool->invoke(call);
    world.backend.at(0).become_ready();
    world.pass(999ms);
    CHECK_FALSE(call.over());
    world.pass(6ms);
    CHECK(call.status == 504);
    world.backend.at(0).obey();
    world.pass(1s);
    const size_t wakes = world.wakes;
    world.pass(3600s);
    CHECK(world.wakes - wakes <= 2);
}

TEST_CASE("a cancelled call that never lets go is killed when its time is over") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall call;
    pool->invoke(call);
    world.backend.at(0).become_ready();
    pool->cancel(call);
    world.pass(31s);
    CHECK(world.backend.at(0).killed == "did not answer within 30s");
    CHECK(call.ends == 0);
}

TEST_CASE("a timeout beside other calls of a concurrent instance spares them") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.concurrency = 4;
    auto pool = world.set->pool(version);
    FakeCall slow, fine, next;
    pool->invoke(slow);
    world.backend.at(0).become_ready(true);
    world.pass(20s);
    pool->invoke(fine);
    FakeInstance& instance = world.backend.at(0);
    REQUIRE(instance.sent.size() == 2);
    world.pass(11s);
    CHECK(slow.status == 504);
    CHECK(instance.killed.empty());
    pool->invoke(next);
    CHECK(instance.sent.size() == 2);
    instance.answer(1);
    CHECK(fine.status == 200);
    CHECK(instance.killed == "did not answer within 30s");
}

TEST_CASE("a stream has no total time but may not fall silent") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall call;
    pool->invoke(call);
    world.backend.at(0).become_ready();
    world.backend.at(0).begin_stream("a");
    for (int i = 0; i < 10; ++i) {
        world.pass(50s);
        world.backend.at(0).chunk("b", false);
    }
    CHECK_FALSE(call.over());
    world.pass(61s);
    CHECK(call.failures == 1);
    CHECK(call.failure.error.code == Errc::invocation_timeout);
    CHECK_FALSE(world.backend.at(0).killed.empty());
}

TEST_CASE("a client that takes bytes slowly does not make its stream silent") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall call;
    pool->invoke(call);
    world.backend.at(0).become_ready();
    world.backend.at(0).begin_stream("abc");
    world.pass(50s);
    pool->consumed(call, 3);
    world.pass(50s);
    CHECK_FALSE(call.over());
}

TEST_CASE("a call that waits too long is 503 and was never started") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.max_scale = 1;
    version->spec.resources.queue_timeout = 2s;
    auto pool = world.set->pool(version);
    FakeCall a, b;
    pool->invoke(a);
    world.backend.at(0).become_ready();
    pool->invoke(b);
    world.pass(2s + 5ms);
    CHECK(b.status == 503);
    CHECK(b.failure.error.message.find("queueTimeout") != std::string::npos);
    CHECK(b.failure.error.retry_after >= 1s);
    CHECK(b.times.sent == SteadyTime{});
    CHECK_FALSE(a.over());
}

TEST_CASE("a start that fails fails the calls that wait, with the reason, and backs off") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall a;
    pool->invoke(a);
    world.backend.at(0).fail_start("exited with code 1", "ImportError");
    world.pass(5ms);
    CHECK(a.status == 502);
    CHECK(a.failure.type == "ImportError");
    CHECK(a.failure.error.message.find("exited with code 1") != std::string::npos);
    CHECK(logged(world, "could not be started"));

    FakeCall during;
    pool->invoke(during);
    CHECK_FALSE(during.over());  // not from inside invoke()
    world.pass(5ms);
    CHECK(during.status == 502);
    CHECK(world.backend.starts == 1);

    world.pass(100ms);
    FakeCall after;
    pool->invoke(after);
    CHECK(world.backend.starts == 2);
    world.backend.at(0).become_ready();
    world.backend.at(0).answer();
    CHECK(after.status == 200);
}

TEST_CASE("starts that keep failing back off longer and longer") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.min_scale = 1;
    world.publish({version});
    std::vector<SteadyTime> times;
    for (int i = 0; i < 4; ++i) {
        REQUIRE(world.backend.live.size() == 1);
        times.push_back(world.clock.steady());
        world.backend.at(0).fail_start("exited with code 1");
        while (world.backend.live.empty()) world.pass(1ms);
    }
    CHECK(times[1] - times[0] >= 100ms);
    CHECK(times[2] - times[1] >= 200ms);
    CHECK(times[3] - times[2] >= 400ms);
    CHECK(times[3] - times[2] < 410ms);
}

TEST_CASE("a backend that cannot even try fails the call after invoke() has returned") {
    PoolWorld world;
    world.backend.refuse = std::make_unique<Error>(Errc::invalid_runtime, "There is no python3.11 here.");
    auto pool = world.set->pool(world.make_version());
    FakeCall call;
    pool->invoke(call);
    CHECK_FALSE(call.over());
    world.pass(5ms);
    CHECK(call.status == 502);
    CHECK(call.failure.error.message.find("There is no python3.11 here.") != std::string::npos);
}

TEST_CASE("a secret that is not there is a start that fails with its name") {
    PoolWorld world;
    world.environment_error =
        std::make_unique<Error>(Errc::secret_not_found, "Secret 'db' has no key 'url'.");
    auto pool = world.set->pool(world.make_version());
    FakeCall call;
    pool->invoke(call);
    world.pass(5ms);
    CHECK(call.status == 502);
    CHECK(call.failure.error.message.find("'db'") != std::string::npos);
    CHECK(world.backend.starts == 0);
}

TEST_CASE("instances that die of every first call are replaced at once twice, then rest") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    for (int i = 0; i < 3; ++i) {
        FakeCall call;
        pool->invoke(call);
        REQUIRE(world.backend.live.size() == 1);
        world.backend.at(0).become_ready();
        world.backend.at(0).die(1, "exited with code 3");
        world.pass(1ms);
        CHECK(call.status == 502);
    }
    // The fault may have been theirs: the next call waits for the rest to be over and is served.
    FakeCall call;
    pool->invoke(call);
    world.pass(90ms);
    CHECK_FALSE(call.over());
    CHECK(world.backend.starts == 3);
    world.pass(20ms);
    REQUIRE(world.backend.starts == 4);
    world.backend.at(0).become_ready();
    world.backend.at(0).answer();
    CHECK(call.status == 200);
}

TEST_CASE("a call that a blocked instance has not come to goes elsewhere when the one that blocks it times out") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.concurrency = 4;
    version->spec.resources.timeout = 2s;
    auto pool = world.set->pool(version);
    FakeCall blocks, waits;
    pool->invoke(blocks);
    world.backend.at(0).become_ready(true);
    world.backend.at(0).entered = 1;
    world.pass(500ms);
    pool->invoke(waits);
    REQUIRE(world.backend.at(0).sent.size() == 2);
    world.pass(1501ms);
    CHECK(blocks.status == 504);
    CHECK(blocks.times.answered == world.clock.steady() - 1ms);
    CHECK_FALSE(waits.over());
    REQUIRE_FALSE(world.backend.at(0).killed.empty());
    world.backend.at(0).obey();
    world.pass(1ms);
    CHECK_FALSE(waits.over());
    REQUIRE(world.backend.live.size() == 1);
    world.backend.at(0).become_ready(true);
    REQUIRE(world.backend.at(0).sent.size() == 1);
    world.backend.at(0).answer();
    CHECK(waits.status == 200);
}

TEST_CASE("the line that tells of a crash belongs to the call that it took") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall call;
    pool->invoke(call);
    world.backend.at(0).become_ready();
    world.backend.at(0).die(1, "exited with code 3");
    const auto line = std::find_if(world.logs.lines.begin(), world.logs.lines.end(), [](const auto& each) {
        return each.message.find("exited with code 3") != std::string::npos;
    });
    REQUIRE(line != world.logs.lines.end());
    CHECK(line->invocation_id == call.id.text());
}

TEST_CASE("one crash in a hundred is one 502 and nothing else") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    world.teach(*pool, 40us, 40);
    std::list<FakeCall> calls(1050);
    auto next = calls.begin();
    size_t n = 0;
    while (next != calls.end() || pool->waiting() > 0 || !world.backend.at(0).sent.empty()) {
        for (int i = 0; i < 8 && next != calls.end(); ++i) pool->invoke(*next++);
        FakeInstance& instance = world.backend.at(0);
        if (!instance.sent.empty()) {
            if (++n % 100 == 0)
                instance.die(1);
            else
                instance.answer();
        } else if (pool->status().ready == 0) {
            instance.become_ready();
        }
        world.pass(40us);
    }
    size_t failed = 0;
    for (const auto& call : calls) {
        CHECK(call.ends == 1);
        failed += call.status == 502;
    }
    CHECK(failed == n / 100);
}

TEST_CASE("an instance that does not become ready is killed") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.resources.queue_timeout = 900s;
    auto pool = world.set->pool(version);
    FakeCall call;
    pool->invoke(call);
    world.pass(61s);
    CHECK(world.backend.at(0).killed == "was not ready within 60s");
    world.backend.at(0).fail_start("was not ready within 60s");
    world.pass(5ms);
    CHECK(world.backend.at(0).serial() > 1);
}
