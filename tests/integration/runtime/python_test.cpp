// SPDX-License-Identifier: Apache-2.0
#include "integration/runtime/backend_fixture.hpp"

#include <catch2/catch.hpp>
#include <csignal>

namespace hks::runtime::test {

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

}  // namespace hks::runtime::test
