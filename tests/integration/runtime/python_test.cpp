// SPDX-License-Identifier: Apache-2.0
#include "integration/runtime/backend_fixture.hpp"

#include <catch2/catch.hpp>
#include <csignal>

namespace hks::runtime::test {

using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;

namespace {
const std::string hello = "def handle(event):\n    return {'hello': event.get('name', 'world')}\n";
}

TEST_CASE("a Python function answers a call") {
    Backend backend;
    TestListener listener;
    auto instance = backend.ready(backend.version("python", {{"function.py", hello}}), listener);
    CHECK(listener.ready->handler == "function.handle");
    CHECK(listener.ready->kind == "sync");
    CHECK(instance->pid() > 0);
    CHECK(backend.call(*instance, R"({"name": "you"})") == R"({"hello":"you"})");
    CHECK(listener.slots_freed == 1);
    CHECK(instance->outstanding() == 0);
}

TEST_CASE("a thousand calls sent ahead are all answered in order") {
    Backend backend;
    TestListener listener;
    auto instance = backend.ready(backend.version("python", {{"function.py", hello}}), listener);
    std::vector<std::unique_ptr<TestCall>> calls;
    for (int i = 0; i < 1000; i++) {
        calls.push_back(std::make_unique<TestCall>(R"({"name": ")" + std::to_string(i) + R"("})"));
        instance->send(*calls.back());
    }
    REQUIRE(backend.run_until([&] { return instance->outstanding() == 0; }));
    for (int i = 0; i < 1000; i++)
        REQUIRE(calls[static_cast<size_t>(i)]->answer == R"({"hello":")" + std::to_string(i) + "\"}");
    CHECK(listener.slots_freed == 1000);
}

TEST_CASE("Python workers are made ahead, taken, and replaced; each is a process of its own") {
    ProcessBackendOptions options;
    options.python_pool = 3;
    Backend backend(options);
    const auto version = backend.version("python", {{"function.py", "import os\ndef handle(event): return os.getpid()"}});
    const auto prepared = [&] { return backend.metrics.gauge("hks_workers_prepared", "").value(); };
    backend.backend->prepare(*version);
    REQUIRE(backend.run_until([&] { return prepared() == 3; }));
    TestListener first, second;
    auto a = backend.ready(version, first);
    auto b = backend.ready(version, second);
    CHECK(backend.call(*a) == std::to_string(a->pid()));
    CHECK(backend.call(*b) == std::to_string(b->pid()));
    CHECK(a->pid() != b->pid());
    REQUIRE(backend.run_until([&] { return prepared() == 3; }));
}

TEST_CASE("a worker that was made ahead sees random numbers, environment and modules of its own version only") {
    Backend backend;
    const auto version = backend.version("python", {{"function.py", R"(
import keyword, os, random, sys, threading
def handle(event):
    return [random.random(), sorted(os.environ), sys.path[0], os.getcwd(), keyword.iskeyword('def'),
            threading.current_thread() is threading.main_thread(), sys.argv, len(os.listdir('/proc/self/fd'))]
)"},
                                                     {"keyword.py", "def iskeyword(word): return 'own'"}});
    backend.backend->prepare(*version);
    backend.run_until([&] { return backend.metrics.gauge("hks_workers_prepared", "").value() >= 2; });
    TestListener first, second;
    auto a = backend.ready(version, first);
    auto b = backend.ready(version, second);
    const std::string one = backend.call(*a), other = backend.call(*b);
    CHECK(one != other);  // their random numbers
    if (!is_root()) return;
    const std::string rest =
        R"(,["HKS_FUNCTION_NAME","HKS_FUNCTION_VERSION","HKS_WORKSPACE_NAME","HOME","LANG","PATH","TMPDIR","TZ","_HANDLER"],"/run/hks/code","/run/hks/code","own",true,[""],)";
    CHECK_THAT(one, Contains(rest));
    CHECK_THAT(one, EndsWith(rest + "6]"));  // 0 to 4 and the folder that is being listed
}

}  // namespace hks::runtime::test
