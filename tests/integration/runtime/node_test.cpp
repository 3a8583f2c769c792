// SPDX-License-Identifier: Apache-2.0
#include "integration/runtime/backend_fixture.hpp"

#include <catch2/catch.hpp>

namespace hks::runtime::test {

namespace {
const char* inside = R"(
const fs = require('fs');
exports.handle = () => {
  let write = 'written';
  try { fs.writeFileSync('new.js', 'x'); } catch (e) { write = e.code; }
  return { cwd: process.cwd(), tmp: fs.readdirSync('/tmp'), write, uid: process.getuid() >= 50000,
           env: Object.keys(process.env).sort().join(' ') };
};
)";
}

TEST_CASE("a Node function answers from a worker that was started for it, and from a prepared one") {
    const bool prepared = GENERATE(false, true);
    Backend backend;
    TestListener listener;
    const auto version =
        backend.version("node", {{"index.js", "exports.handle = () => ({ hello: 'node' })"}});
    if (prepared) {
        backend.backend->prepare(*version);
        backend.run_until([] { return false; }, milliseconds(500));
    }
    auto instance = backend.ready(version, listener);
    CHECK(listener.ready->handler == "index.handle");
    CHECK(backend.call(*instance) == R"({"hello":"node"})");
}

TEST_CASE("a prepared Node worker is as closed as one started for its function") {
    const bool prepared = GENERATE(false, true);
    Backend backend;
    TestListener listener;
    const auto version = backend.version("node", {{"index.js", inside}});
    if (prepared) {
        backend.backend->prepare(*version);
        backend.run_until([] { return false; }, milliseconds(500));
    }
    auto instance = backend.ready(version, listener);
    const std::string cwd = is_root() ? "/run/hks/code" : "";
    const std::string answer = backend.call(*instance);
    if (is_root())
        CHECK(
            answer ==
            R"({"cwd":"/run/hks/code","tmp":[],"write":"EROFS","uid":true,"env":"HKS_FUNCTION_NAME HKS_FUNCTION_VERSION HKS_WORKSPACE_NAME HOME LANG PATH TMPDIR TZ _HANDLER"})");
}

TEST_CASE("the pool is refilled after a worker was taken and never holds more than it should") {
    Backend backend;
    const auto version = backend.version("node", {{"index.js", "exports.handle = () => process.pid"}});
    backend.backend->prepare(*version);
    backend.backend->prepare(*version);
    REQUIRE(
        backend.run_until([&] { return backend.metrics.gauge("hks_workers_prepared", "").value() == 1; }));
    TestListener first, second;
    auto a = backend.ready(version, first);
    REQUIRE(
        backend.run_until([&] { return backend.metrics.gauge("hks_workers_prepared", "").value() == 1; }));
    auto b = backend.ready(version, second);
    CHECK(a->pid() != b->pid());
    CHECK(backend.call(*a) == std::to_string(a->pid()));
    CHECK(backend.call(*b) == std::to_string(b->pid()));
}

TEST_CASE("the largest file of a Node function is bounded, whether its worker was made ahead or not") {
    Backend backend;
    const auto version = backend.version(
        "node", {{"index.js", "exports.handle = () => require('fs').readFileSync('/proc/self/limits', "
                              "'utf8').match(/Max file size +(\\d+) +(\\d+)/).slice(1).join()"}});
    version->spec.resources.ephemeral_storage = 4 << 20;
    TestListener first, second;
    auto on_demand = backend.ready(version, first);
    CHECK(backend.call(*on_demand) == "4194304,4194304");
    REQUIRE(
        backend.run_until([&] { return backend.metrics.gauge("hks_workers_prepared", "").value() == 1; }));
    backend.run_until([] { return false; }, milliseconds(300));
    auto ahead = backend.ready(version, second);
    CHECK(backend.call(*ahead) == "4194304,4194304");
}

TEST_CASE("no Node worker is started while nobody asked for one") {
    ProcessBackendOptions options;
    options.python_pool = 0;
    Backend backend(options);
    TestListener listener;
    auto instance =
        backend.ready(backend.version("python", {{"function.py", "def handle(event): return 1"}}), listener);
    backend.run_until([] { return false; }, milliseconds(100));
    CHECK(backend.metrics.gauge("hks_workers_prepared", "").value() == 0);
}

TEST_CASE("a Node function that fills its heap is ended and says so") {
    Backend backend;
    TestListener listener;
    auto instance = backend.ready(backend.version("node", {{"index.js",
                                                            "exports.handle = () => { const a = []; for (;;) "
                                                            "a.push({ a: new Array(1000).fill(1.5) }); }"}}),
                                  listener);
    TestCall call;
    instance->send(call);
    REQUIRE(backend.run_until([&] { return listener.gone.has_value(); }, milliseconds(60'000)));
    CHECK(listener.gone->out_of_memory);
    CHECK(listener.started.size() == 1);
}

TEST_CASE("a Node module that throws fails the start with its stack") {
    Backend backend;
    TestListener listener;
    auto instance =
        backend.start(backend.version("node", {{"index.js", "throw new TypeError('not today')"}}), listener);
    REQUIRE(backend.run_until([&] { return listener.failed.has_value(); }));
    CHECK(listener.failed->type == "TypeError");
    CHECK(listener.failed->message == "not today");
}

}  // namespace hks::runtime::test
