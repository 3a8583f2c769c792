// SPDX-License-Identifier: Apache-2.0
#include "pool_world.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <list>

using namespace hks;
using namespace hks::test;

TEST_CASE("the first call starts an instance and is answered by it") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall call;
    pool->invoke(call);
    REQUIRE(world.backend.live.size() == 1);
    world.pass(3ms);
    world.backend.at(0).become_ready();
    REQUIRE(world.backend.at(0).sent.size() == 1);
    world.pass(2ms);
    world.backend.at(0).answer();
    CHECK(call.status == 200);
    CHECK(call.body == "ok");
    CHECK(call.cold_start);
    CHECK(call.times.sent - call.times.queued == 3ms);
    CHECK(call.times.answered - call.times.sent == 2ms);
    CHECK(pool->status().cold_starts == 1);
    CHECK(world.set->inside == 0);
}

TEST_CASE("a warm call is no cold start and does not start an instance") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    world.teach(*pool, 100us, 1);
    FakeCall call;
    pool->invoke(call);
    CHECK(world.backend.at(0).sent.size() == 1);
    world.backend.at(0).answer();
    CHECK_FALSE(call.cold_start);
    CHECK(world.backend.starts == 1);
}

TEST_CASE("the instance sees the request, not the caller's Call") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall call;
    call.request.path = "/x";
    call.request.attempt = 2;
    pool->invoke(call);
    world.backend.at(0).become_ready();
    const Call& seen = *world.backend.at(0).sent[0];
    CHECK(&seen != &call);
    CHECK(seen.request.path == "/x");
    CHECK(seen.request.attempt == 2);
    CHECK(seen.id.text() == call.id.text());
}

TEST_CASE("the most recently used idle instance comes first") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.min_scale = 2;
    world.publish({version});
    auto pool = world.set->pool(version);
    REQUIRE(world.backend.live.size() == 2);
    world.backend.at(0).become_ready();
    world.backend.at(1).become_ready();
    FakeCall a, b, c;
    pool->invoke(a);
    pool->invoke(b);
    REQUIRE(world.backend.at(0).sent.size() == 1);
    world.backend.at(1).answer();
    world.backend.at(0).answer();
    pool->invoke(c);
    CHECK(world.backend.at(0).sent.size() == 1);
    world.backend.at(0).answer();
}

TEST_CASE("slow calls run strictly one at a time, in the order they came") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.max_scale = 1;
    auto pool = world.set->pool(version);
    world.teach(*pool, 5ms);
    FakeCall a, b, c;
    pool->invoke(a);
    pool->invoke(b);
    pool->invoke(c);
    FakeInstance& instance = world.backend.at(0);
    CHECK(instance.sent.size() == 1);
    CHECK(pool->waiting() == 2);
    instance.answer();
    CHECK(instance.sent.size() == 1);
    CHECK(b.times.sent != SteadyTime{});
    CHECK(c.times.sent == SteadyTime{});
    instance.answer();
    instance.answer();
    CHECK((a.over() && b.over() && c.over()));
}

TEST_CASE("short calls are sent ahead when no instance is idle") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    world.teach(*pool, 40us, 40);
    std::list<FakeCall> calls(16);
    for (auto& call : calls) pool->invoke(call);
    CHECK(world.backend.live.size() == 1);
    CHECK(world.backend.at(0).sent.size() == 16);
    CHECK(pool->waiting() == 0);
    while (!world.backend.at(0).sent.empty()) world.backend.at(0).answer();
    for (auto& call : calls) CHECK(call.ends == 1);
}

TEST_CASE("an idle instance comes before sending ahead") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.min_scale = 2;
    world.publish({version});
    auto pool = world.set->pool(version);
    world.backend.at(0).become_ready();
    world.backend.at(1).become_ready();
    world.teach(*pool, 40us, 60);
    FakeCall a, b, c;
    pool->invoke(a);
    pool->invoke(b);
    pool->invoke(c);
    CHECK(world.backend.at(0).sent.size() + world.backend.at(1).sent.size() == 3);
    CHECK(world.backend.at(0).sent.size() >= 1);
    CHECK(world.backend.at(1).sent.size() >= 1);
    for (FakeInstance* instance : world.backend.live)
        while (!instance->sent.empty()) instance->answer();
}

TEST_CASE("a concurrent instance takes as many calls as the version allows") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.concurrency = 3;
    version->spec.scaling.max_scale = 1;
    auto pool = world.set->pool(version);
    std::list<FakeCall> calls(5);
    for (auto& call : calls) pool->invoke(call);
    world.backend.at(0).become_ready(true);
    CHECK(world.backend.at(0).sent.size() == 3);
    world.backend.at(0).answer(1);
    CHECK(world.backend.at(0).sent.size() == 3);
    CHECK(pool->waiting() == 1);
    while (!world.backend.at(0).sent.empty()) world.backend.at(0).answer();
    for (auto& call : calls) CHECK(call.ends == 1);
}

TEST_CASE("an instance that cannot run several calls gets one at a time whatever the version allows") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.concurrency = 3;
    version->spec.scaling.max_scale = 1;
    auto pool = world.set->pool(version);
    FakeCall a, b;
    pool->invoke(a);
    pool->invoke(b);
    world.backend.at(0).become_ready(false);
    CHECK(world.backend.at(0).sent.size() == 1);
}

TEST_CASE("a full queue is 429 with Retry-After") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.queue_size = 2;
    version->spec.scaling.max_scale = 1;
    auto pool = world.set->pool(version);
    FakeCall first, a, b, c;
    pool->invoke(first);
    world.backend.at(0).become_ready();
    pool->invoke(a);
    pool->invoke(b);
    pool->invoke(c);
    CHECK(c.status == 429);
    CHECK(c.failure.error.code == Errc::concurrency_limit_exceeded);
    CHECK(c.failure.error.retry_after >= 1s);
    CHECK_FALSE(a.over());
    CHECK(world.set->inside == 3);
}

TEST_CASE("a call that waits for its own instance needs no place in the queue") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.queue_size = 0;
    version->spec.scaling.max_scale = 1;
    auto pool = world.set->pool(version);
    FakeCall first, second;
    pool->invoke(first);
    CHECK_FALSE(first.over());
    pool->invoke(second);
    CHECK(second.status == 429);
    world.backend.at(0).become_ready();
    world.backend.at(0).answer();
    CHECK(first.status == 200);
}

TEST_CASE("a full server is 503 with Retry-After") {
    dispatch::DispatcherOptions options;
    options.max_queued = 1;
    PoolWorld world(options);
    FakeCall a, b;
    world.set->pool(world.make_version("one"))->invoke(a);
    world.set->pool(world.make_version("two"))->invoke(b);
    CHECK(b.status == 503);
    CHECK(b.failure.error.code == Errc::overloaded);
    CHECK(b.failure.error.retry_after >= 1s);
}

TEST_CASE("a call cancelled while it waits is never sent") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall a, b;
    pool->invoke(a);
    pool->invoke(b);
    pool->cancel(a);
    world.backend.at(0).become_ready();
    CHECK(world.backend.at(0).sent.size() == 1);
    world.backend.at(0).answer();
    CHECK(a.ends == 0);
    CHECK(b.ends == 1);
    CHECK(world.set->inside == 0);
    CHECK(world.set->queued == 0);
}

TEST_CASE("the last waiting call can be cancelled, and the queue goes on") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall a, b, c;
    pool->invoke(a);
    pool->invoke(b);
    pool->cancel(b);
    pool->invoke(c);
    world.backend.at(0).become_ready();
    world.backend.at(0).answer();
    world.backend.at(0).answer();
    CHECK((a.ends == 1 && b.ends == 0 && c.ends == 1));
}

TEST_CASE("a running call that is cancelled keeps its place until the worker lets go") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.max_scale = 1;
    auto pool = world.set->pool(version);
    world.teach(*pool, 5ms);
    auto a = std::make_unique<FakeCall>();
    FakeCall b;
    pool->invoke(*a);
    pool->cancel(*a);
    a.reset();  // the owner is free to destroy it
    FakeInstance& instance = world.backend.at(0);
    CHECK(instance.cancels == 1);
    pool->invoke(b);
    CHECK(instance.sent.size() == 1);
    CHECK(pool->waiting() == 1);
    instance.answer();
    CHECK(instance.sent.size() == 1);
    instance.answer();
    CHECK(b.ends == 1);
}

TEST_CASE("a call sent ahead and cancelled leaves the others alone") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    world.teach(*pool, 40us, 40);
    FakeCall a, b, c;
    pool->invoke(a);
    pool->invoke(b);
    pool->invoke(c);
    pool->cancel(b);
    FakeInstance& instance = world.backend.at(0);
    instance.answer(1);  // the worker skips it before the others are done
    instance.answer();
    instance.answer();
    CHECK((a.ends == 1 && b.ends == 0 && c.ends == 1));
    CHECK(pool->status().busy == 0);
}

TEST_CASE("cancelling twice, or after the end, does nothing") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall a, b;
    pool->invoke(a);
    pool->cancel(a);
    pool->cancel(a);
    pool->invoke(b);
    world.backend.at(0).become_ready();
    world.backend.at(0).answer();
    pool->cancel(b);
    CHECK(world.backend.at(0).cancels == 0);
    CHECK(world.set->inside == 0);
}

TEST_CASE("a streamed answer that is cancelled frees its place when the worker lets go") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall a, b;
    pool->invoke(a);
    world.backend.at(0).become_ready();
    world.backend.at(0).begin_stream("part");
    pool->cancel(a);
    world.backend.at(0).answer();
    CHECK(a.ends == 0);
    pool->invoke(b);
    CHECK(world.backend.at(0).sent.size() == 1);
    world.backend.at(0).answer();
    CHECK(b.ends == 1);
}

namespace {

/// Calls again as soon as it is answered, like a connection with a pipelined request.
class EagerCall final : public Call {
  public:
    EagerCall(dispatch::VersionPool& pool, int times) : pool_(pool), left_(times) {}
    void on_response(int, std::string_view, std::string_view, bool) override {
        ++answers;
        if (left_-- > 0) pool_.invoke(*this);
    }
    void on_chunk(std::string_view, bool) override {}
    void on_failed(const CallFailure&) override { ++failures; }
    int answers = 0, failures = 0;

  private:
    dispatch::VersionPool& pool_;
    int left_;
};

}  // namespace

TEST_CASE("a Call that is used again from inside its own answer is a new call") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    world.teach(*pool, 40us, 40);
    EagerCall a(*pool, 5), b(*pool, 5);
    pool->invoke(a);
    pool->invoke(b);
    while (!world.backend.at(0).sent.empty()) world.backend.at(0).answer();
    CHECK(a.answers == 6);
    CHECK(b.answers == 6);
    CHECK(world.set->inside == 0);
}

TEST_CASE("a Call that is used again while slow calls wait takes its turn") {
    PoolWorld world;
    auto version = world.make_version();
    version->spec.scaling.max_scale = 1;
    auto pool = world.set->pool(version);
    world.teach(*pool, 5ms);
    EagerCall a(*pool, 1);
    FakeCall b;
    pool->invoke(a);
    pool->invoke(b);
    world.backend.at(0).answer();
    CHECK(b.times.sent != SteadyTime{});
    world.backend.at(0).answer();
    CHECK(b.ends == 1);
    world.backend.at(0).answer();
    CHECK(a.answers == 2);
}

TEST_CASE("what a handler threw reaches the caller and counts as an error") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall call;
    pool->invoke(call);
    world.backend.at(0).become_ready();
    world.backend.at(0).throw_error("ValueError", "no");
    CHECK(call.status == 500);
    CHECK(call.failure.type == "ValueError");
    CHECK(pool->status().errors == 1);
    CHECK(
        world.metrics.render().find("hks_errors_total{workspace=\"default\",function=\"hello\",version=\"1\","
                                    "type=\"exception\"} 1") != std::string::npos);
}

TEST_CASE("credit of a streamed answer reaches the instance") {
    PoolWorld world;
    auto pool = world.set->pool(world.make_version());
    FakeCall call;
    pool->invoke(call);
    world.backend.at(0).become_ready();
    world.backend.at(0).begin_stream("12345");
    pool->consumed(call, 5);
    CHECK(world.backend.at(0).credit == 5);
    world.backend.at(0).chunk("6", true);
    pool->consumed(call, 1);
    CHECK(world.backend.at(0).credit == 5);
    CHECK(call.body == "123456");
}

TEST_CASE("metrics tell requests, durations, cold starts, queue and instances of a version, until it goes") {
    PoolWorld world;
    auto version = world.make_version();
    world.publish({version});
    auto pool = world.set->pool(version);
    FakeCall call, waiting;
    pool->invoke(call);
    pool->invoke(waiting);
    const std::string labels = "{workspace=\"default\",function=\"hello\",version=\"1\"";
    CHECK(world.metrics.render().find("hks_queue_depth" + labels + "} 2") != std::string::npos);
    world.backend.at(0).become_ready();
    world.backend.at(0).answer();
    const std::string text = world.metrics.render();
    CHECK(text.find("hks_requests_total" + labels + ",code=\"2xx\"} 1") != std::string::npos);
    CHECK(text.find("hks_cold_starts_total" + labels + "} 2") != std::string::npos);
    CHECK(text.find("hks_instances" + labels + ",state=\"busy\"} 1") != std::string::npos);
    CHECK(text.find("hks_request_duration_seconds_count" + labels + "} 1") != std::string::npos);
    CHECK(text.find("hks_run_duration_seconds_count" + labels + "} 1") != std::string::npos);
    world.backend.at(0).answer();
    pool.reset();
    world.publish({});
    world.backend.at(0).obey();
    world.settle();
    CHECK(world.metrics.render().find("hello") == std::string::npos);
}
