// SPDX-License-Identifier: Apache-2.0
// How instances end when things go wrong, and what their listeners hear.
#include "integration/runtime/backend_fixture.hpp"

#include <catch2/catch.hpp>
#include <csignal>

namespace hks::runtime::test {

using Catch::Matchers::Contains;

TEST_CASE("a crash fails the calls that had started and gives back those that were only sent ahead") {
    Backend backend;
    TestListener listener;
    auto instance = backend.ready(backend.version("python", {{"function.py", R"(
import os
def handle(event):
    if event.get('crash'):
        os._exit(3)
    return {'n': event['n']}
)"}}),
                                  listener);
    std::vector<std::unique_ptr<TestCall>> calls;
    for (int i = 0; i < 5; i++) {
        calls.push_back(std::make_unique<TestCall>(i == 2 ? R"({"crash": true})"
                                                          : R"({"n": )" + std::to_string(i) + "}"));
        instance->send(*calls.back());
    }
    REQUIRE(backend.run_until([&] { return listener.gone.has_value(); }));
    CHECK(calls[0]->answer == R"({"n":0})");
    CHECK(calls[1]->answer == R"({"n":1})");
    CHECK(listener.started == std::vector<Call*>{calls[2].get()});
    CHECK(listener.unstarted == std::vector<Call*>{calls[3].get(), calls[4].get()});
    CHECK(listener.gone->reason == "exited with code 3");
    CHECK_FALSE(listener.gone->asked);
    CHECK_FALSE(listener.gone->out_of_memory);
}

TEST_CASE("with concurrency, calls that a blocked event loop has not come to are given back as unstarted") {
    const std::pair<const char*, std::map<std::string, std::string>> functions[] = {
        {"python", {{"function.py", R"(
import os, time
async def handle(event):
    if event.get('block'):
        time.sleep(0.5)
        os._exit(3)
)"}}},
        {"node", {{"function.js", R"(
exports.handle = async (event) => {
  if (!event.block) return;
  const end = Date.now() + 500;
  while (Date.now() < end);
  process.exit(3);
};
)"}}}};
    for (const auto& [language, files] : functions) {
        INFO(language);
        Backend backend;
        TestListener listener;
        const auto version = backend.version(language, files);
        version->spec.scaling.concurrency = 4;
        auto instance = backend.ready(version, listener);
        TestCall blocks(R"({"block": true})"), waits;
        instance->send(blocks);
        REQUIRE(backend.run_until([&] { return instance->has_started(blocks); }));
        instance->send(waits);
        CHECK_FALSE(instance->has_started(waits));
        REQUIRE(backend.run_until([&] { return listener.gone.has_value(); }));
        CHECK(listener.started == std::vector<Call*>{&blocks});
        CHECK(listener.unstarted == std::vector<Call*>{&waits});
    }
}

TEST_CASE("an exception whose message is no valid Unicode fails its call and nothing else") {
    const std::pair<const char*, std::map<std::string, std::string>> functions[] = {
        {"python", {{"function.py", "def handle(event): raise ValueError('a\\ud800b')"}}},
        {"node", {{"function.js", "exports.handle = () => { throw new TypeError('a\\ud800b'); }"}}}};
    for (const auto& [language, files] : functions) {
        INFO(language);
        Backend backend;
        TestListener listener;
        auto instance = backend.ready(backend.version(language, files), listener);
        TestCall call;
        instance->send(call);
        REQUIRE(backend.run_until([&] { return call.ended; }));
        REQUIRE(call.failure);
        CHECK(call.failure->error.code == Errc::invocation_failed);
        CHECK_THAT(call.failure->exception_message, Catch::Matchers::StartsWith("a"));
        CHECK_FALSE(listener.gone);
    }
}

TEST_CASE("an instance killed by hand says by which signal") {
    Backend backend;
    TestListener listener;
    auto instance =
        backend.ready(backend.version("python", {{"function.py", "def handle(event): return 1"}}), listener);
    ::kill(instance->pid(), SIGKILL);
    REQUIRE(backend.run_until([&] { return listener.gone.has_value(); }));
    CHECK(listener.gone->reason == "was killed by signal 9 (SIGKILL)");
    CHECK(listener.started.empty());
    CHECK(listener.unstarted.empty());
}

TEST_CASE("kill() ends a handler that hangs, with the reason it was given") {
    Backend backend;
    TestListener listener;
    auto instance = backend.ready(
        backend.version("python", {{"function.py", "def handle(event):\n  while True: pass\n"}}), listener);
    TestCall hangs, waits;
    instance->send(hangs);
    instance->send(waits);
    REQUIRE(backend.run_until([&] { return instance->has_started(hangs); }));
    const int pid = instance->pid();
    instance->kill("ran longer than 30s");
    CHECK_FALSE(listener.gone);
    REQUIRE(backend.run_until([&] { return listener.gone.has_value(); }));
    CHECK(listener.gone->reason == "ran longer than 30s");
    CHECK(listener.gone->asked);
    CHECK(listener.started == std::vector<Call*>{&hangs});
    CHECK(listener.unstarted == std::vector<Call*>{&waits});
    CHECK_FALSE(process_exists(pid));
}

TEST_CASE("a function that takes too much memory is ended and says so") {
    Backend backend;
    TestListener listener;
    auto instance = backend.ready(backend.version("python", {{"function.py", R"(
def handle(event):
    hog = []
    while True:
        hog.append(bytearray(1 << 20))
)"}}),
                                  listener);
    TestCall call;
    instance->send(call);
    REQUIRE(backend.run_until([&] { return listener.gone.has_value(); }));
    CHECK(listener.gone->out_of_memory);
    CHECK(listener.gone->reason == "used more than 128Mi of memory");
    CHECK(listener.started.size() == 1);
}

TEST_CASE("without cgroups memory is sampled and the hog is ended too") {
    ProcessBackendOptions options;
    options.use_cgroups = false;
    Backend backend(options);
    TestListener listener;
    auto instance = backend.ready(backend.version("python", {{"function.py", R"(
import time
def handle(event):
    hog = []
    for i in range(300):
        hog.append(b'x' * (1 << 20))
    time.sleep(10)
)"}}),
                                  listener);
    TestCall call;
    instance->send(call);
    REQUIRE(backend.run_until([&] { return listener.gone.has_value(); }));
    CHECK(listener.gone->out_of_memory);
    CHECK(listener.gone->reason == "used more than 128Mi of memory");
}

TEST_CASE("a module that cannot be imported fails the start with its traceback") {
    Backend backend;
    TestListener listener;
    auto instance = backend.start(
        backend.version("python", {{"function.py", "import nothing_of_that_name\n"}}), listener);
    REQUIRE(backend.run_until([&] { return listener.failed.has_value(); }));
    CHECK(listener.failed->type == "ModuleNotFoundError");
    CHECK_THAT(listener.failed->message, Contains("nothing_of_that_name"));
    CHECK_THAT(listener.failed->stack, Contains("function.py\", line 1"));
    CHECK_FALSE(listener.gone);
}

TEST_CASE("a crash while loading fails the start with the last words on stderr") {
    Backend backend;
    TestListener listener;
    auto instance = backend.start(
        backend.version("python",
                        {{"function.py", "import os\nos.write(2, b'no licence\\n')\nos._exit(7)\n"}}),
        listener);
    REQUIRE(backend.run_until([&] { return listener.failed.has_value(); }));
    CHECK(listener.failed->reason == "exited with code 7 before its handler was loaded: no licence");
}

TEST_CASE("an exception fails its call only, and its stack goes to the log") {
    Backend backend;
    TestListener listener;
    auto instance = backend.ready(backend.version("python", {{"function.py", R"(
def handle(event):
    if event.get('bad'):
        raise ValueError('no such thing')
    return 'fine'
)"}}),
                                  listener);
    TestCall bad(R"({"bad": 1})");
    instance->send(bad);
    CHECK(backend.call(*instance) == "fine");
    REQUIRE(bad.failure);
    CHECK(bad.failure->error.code == Errc::invocation_failed);
    CHECK(bad.failure->type == "ValueError");
    CHECK(bad.failure->exception_message == "no such thing");
    CHECK(bad.failure->error.message.find("no such thing") == std::string::npos);
    const auto* record = backend.logs.find("ValueError: no such thing");
    REQUIRE(record);
    CHECK(record->level == LogLevel::error);
    CHECK(record->stream == "platform");
    CHECK(record->invocation_id == bad.id.text());
}

TEST_CASE("a worker that sends nonsense is ended, not believed") {
    const auto [name, code] = GENERATE(table<std::string, std::string>({
        {"bytes that are no frame", "b'\\xff' * 64"},
        {"an answer to a call that was never sent", "struct.pack('<IIIBBH', 0, 0, 999, 19, 1, 200)"},
        {"a chunk before its answer", "struct.pack('<IIIBBH', 0, 0, 1, 3, 1, 0)"},
        {"a status that cannot be", "struct.pack('<IIIBBH', 0, 0, 1, 19, 1, 7)"},
        {"an error without JSON", "struct.pack('<IIIBBH', 1, 1, 1, 20, 0, 0) + b'x'"},
        {"a second answer", "struct.pack('<IIIBBH', 0, 0, 1, 19, 0, 200) * 2"},
        {"a type that nobody knows", "struct.pack('<IIIBBH', 0, 0, 0, 99, 0, 0)"},
        {"a second READY", "struct.pack('<IIIBBH', 2, 2, 0, 17, 0, 0) + b'{}'"},
    }));
    INFO(name);
    Backend backend;
    TestListener listener;
    auto instance = backend.ready(
        backend.version("python",
                        {{"function.py", "import os, struct, time\ndef handle(event):\n    os.write(3, " +
                                             code + ")\n    time.sleep(60)\n"}}),
        listener);
    TestCall call, ahead;
    instance->send(call);
    instance->send(ahead);
    REQUIRE(backend.run_until([&] { return listener.gone.has_value(); }));
    CHECK_THAT(listener.gone->reason, Contains("makes no sense"));
    CHECK_FALSE(listener.gone->asked);
    CHECK(listener.unstarted == std::vector<Call*>{&ahead});
}

TEST_CASE("when the zygote is killed, the running instance lives and the next start works") {
    Backend backend;
    TestListener listener, second;
    const auto version = backend.version("python", {{"function.py", "def handle(event): return 'alive'"}});
    auto instance = backend.ready(version, listener);
    const auto parent = [](int pid) {
        std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
        std::string text, name, state;
        int parent_pid = 0;
        stat >> text >> name >> state >> parent_pid;
        return parent_pid;
    };
    const int zygote = parent(instance->pid());
    REQUIRE(zygote != backend.spawner->pid());
    ::kill(zygote, SIGKILL);
    REQUIRE(backend.run_until([&] { return parent(instance->pid()) == backend.spawner->pid(); }));
    CHECK(backend.call(*instance) == "alive");
    auto next = backend.ready(version, second);
    CHECK(backend.call(*next) == "alive");
    ::kill(instance->pid(), SIGKILL);
    REQUIRE(backend.run_until([&] { return listener.gone.has_value(); }));
    CHECK(listener.gone->reason == "was killed by signal 9 (SIGKILL)");
}

TEST_CASE("a start that is let go at once is told nothing and leaves nothing") {
    Backend backend;
    TestListener listener;
    const auto version = backend.version("python", {{"function.py", "def handle(event): return 1"}});
    for (int i = 0; i < 10; i++) (void)backend.start(version, listener);
    backend.stop();
    CHECK_FALSE(listener.ready);
    CHECK_FALSE(listener.failed);
    CHECK_FALSE(listener.gone);
}

TEST_CASE("an instance may be destroyed inside every callback") {
    struct Destroyer : TestListener {
        std::unique_ptr<Instance>* held = nullptr;
        int when = 0;
        void on_ready(Instance& instance, const ReadyInfo& info) override {
            TestListener::on_ready(instance, info);
            if (when == 0) held->reset();
        }
        void on_slot_free(Instance& instance) override {
            TestListener::on_slot_free(instance);
            if (when == 1) held->reset();
        }
        void on_gone(Instance& instance, const ExitInfo& why, std::span<Call* const> s,
                     std::span<Call* const> u) override {
            TestListener::on_gone(instance, why, s, u);
            held->reset();
        }
    };
    const int when = GENERATE(0, 1, 2);
    Backend backend;
    Destroyer listener;
    listener.when = when;
    std::unique_ptr<Instance> held;
    listener.held = &held;
    held =
        backend.start(backend.version("python", {{"function.py", "def handle(event): return 1"}}), listener);
    REQUIRE(backend.run_until([&] { return listener.ready.has_value(); }));
    TestCall first, second;
    if (when >= 1) {
        held->send(first);
        held->send(second);
        REQUIRE(backend.run_until([&] { return listener.slots_freed > 0; }));
    }
    if (when == 2) {
        held->kill("enough");
        REQUIRE(backend.run_until([&] { return listener.gone.has_value(); }));
    }
    CHECK(held == nullptr);
    backend.stop();
}

}  // namespace hks::runtime::test
