// SPDX-License-Identifier: Apache-2.0
// How long starts take. Hidden: run with "[bench]".
#include "integration/runtime/backend_fixture.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <iostream>
#include <sys/wait.h>

namespace hks::runtime::test {

namespace {

using Steady = std::chrono::steady_clock;

struct Times {
    std::vector<double> ms;
    void add(Steady::time_point since) {
        ms.push_back(std::chrono::duration<double, std::milli>(Steady::now() - since).count());
    }
    void print(const std::string& name) {
        std::sort(ms.begin(), ms.end());
        std::cout << name << ": p50 " << ms[ms.size() / 2] << " ms, p90 " << ms[ms.size() * 9 / 10]
                  << " ms, p99 " << ms[ms.size() * 99 / 100] << " ms, min " << ms.front()
                  << " ms, n=" << ms.size() << "\n";
    }
};

void run_plain(const std::vector<const char*>& arguments, const std::string& name, int count) {
    Times times;
    for (int i = 0; i < count; i++) {
        const auto since = Steady::now();
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::execv(arguments[0], const_cast<char* const*>(arguments.data()));
            ::_exit(1);
        }
        ::waitpid(pid, nullptr, 0);
        times.add(since);
    }
    times.print(name);
}

void one_by_one(Backend& backend, const std::shared_ptr<Version>& version, const std::string& name, int count,
                milliseconds pause) {
    Times ready, answered;
    for (int i = 0; i < count; i++) {
        TestListener listener;
        TestCall call;
        const auto since = Steady::now();
        auto instance = backend.start(version, listener);
        while (!listener.ready) backend.loop.run_one();
        ready.add(since);
        instance->send(call);
        while (!call.ended) backend.loop.run_one();
        answered.add(since);
        instance.reset();
        backend.run_until([] { return false; }, pause);
    }
    ready.print(name + " start to READY");
    answered.print(name + " start to first answer");
}

}  // namespace

TEST_CASE("how long starts take", "[.bench]") {
    run_plain({"/usr/bin/python3", "-I", "-S", "-c", "pass", nullptr}, "/usr/bin/python3 -I -S -c pass", 50);
    run_plain({"/usr/bin/node", "-e", "0", nullptr}, "/usr/bin/node -e 0", 20);
    Backend backend;
    const auto python =
        backend.version("python", {{"function.py", "def handle(event): return {'hello': 'world'}\n"}});
    TestListener warm;
    auto first = backend.ready(python, warm);
    first.reset();
    one_by_one(backend, python, "python", 200, milliseconds(10));
    for (int round = 0; round < 3; round++) {
        std::vector<TestListener> listeners(100);
        std::vector<std::unique_ptr<Instance>> instances;
        std::vector<std::unique_ptr<TestCall>> calls(100);
        const auto since = Steady::now();
        for (auto& listener : listeners) instances.push_back(backend.start(python, listener));
        size_t answered = 0;
        while (answered < 100) {
            backend.loop.run_one();
            answered = 0;
            for (size_t i = 0; i < 100; i++) {
                if (listeners[i].ready && !calls[i]) {
                    calls[i] = std::make_unique<TestCall>();
                    instances[i]->send(*calls[i]);
                }
                answered += calls[i] && calls[i]->ended;
            }
        }
        Times burst;
        burst.add(since);
        burst.print("burst of 100 python instances until all answered");
        instances.clear();
        backend.run_until([] { return false; }, milliseconds(500));
    }
    const auto node = backend.version("node", {{"index.js", "exports.handle = () => ({hello: 'world'})\n"}});
    backend.backend->prepare(*node);
    backend.run_until([] { return false; }, milliseconds(500));
    one_by_one(backend, node, "node (prepared)", 30, milliseconds(300));
}

}  // namespace hks::runtime::test
