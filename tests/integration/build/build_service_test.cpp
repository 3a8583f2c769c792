// SPDX-License-Identifier: Apache-2.0
#include "integration/build/build_world.hpp"

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::build;
using namespace hks::build::test;
using namespace std::chrono_literals;

namespace {

const Files hello{{"function.py", "def handle(event): return 'hello'\n"}};

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

BuildSource one_file(const std::string& content, const std::string& name = "") {
    BuildSource source;
    source.file_content = content;
    source.filename = name;
    return source;
}

/// Builds that never end, one for every thread of the service.
std::vector<registry::VersionRecord> hold_all(BuildWorld& world) {
    std::vector<registry::VersionRecord> held;
    const Files hanging{{"function.py", ""}, {"load", "hang"}};
    for (int i = 0; i < static_cast<int>(world.parallel) + 4; ++i) {
        held.push_back(world.start(world.spec("python"), hanging));
        while (world.backend.starts <= i) std::this_thread::sleep_for(1ms);
    }
    return held;
}

/// What happens on the service's own threads, sooner or later.
template <class Condition>
bool soon(Condition&& condition) {
    for (int i = 0; i < 1000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(5ms);
    }
    return false;
}

}  // namespace

TEST_CASE("a folder becomes a version") {
    BuildWorld world;
    const auto version = world.build(world.spec("python"), hello);
    CHECK(version.error.empty());
    REQUIRE(version.status == "success");
    CHECK(version.spec.handler == "function.handle");
    CHECK(version.runtime.starts_with("python3."));
    CHECK("python" + version.spec.runtime.version == version.runtime);
    CHECK(hks::test::read_file(world.bundle(version) / "function.py") == hello.at("function.py"));
    CHECK(take(world.registry.get("default", "hello")).active_version == 1);
    CHECK(world.leftovers() == 0);
    CHECK(world.backend.alive == 0);
}

TEST_CASE("the log says what happened, in order, with what the function printed") {
    BuildWorld world;
    const std::string log = world.log(world.build(world.spec("python"), hello));
    const std::string wanted[] = {
        "unpacked 1 file (34 B)",        "runtime python3.", "printed while loading\nin two lines\n",
        "loaded function.handle (sync)", "bundle ",          " ready in "};
    size_t at = 0;
    for (const std::string& part : wanted) {
        INFO(log << "lacks " << part);
        at = log.find(part, at);
        REQUIRE(at != std::string::npos);
    }
}

TEST_CASE("a function without dependencies is built in well under a second") {
    BuildWorld world;
    world.build(world.spec("python"), hello);
    const auto start = std::chrono::steady_clock::now();
    world.build(world.spec("python"), Files{{"function.py", "def handle(event): return 2\n"}});
    const auto took = std::chrono::steady_clock::now() - start;
    WARN("built in " << std::chrono::duration_cast<milliseconds>(took).count() << " ms");
    CHECK(took < 1s);
}

TEST_CASE("one file gets its name from handler and runtime") {
    BuildWorld world;
    FunctionSpec spec = world.spec("python");
    spec.handler = "shop.order";
    const auto python = world.build(spec, one_file("def order(event): pass\n"));
    CHECK(fs::exists(world.bundle(python) / "shop.py"));
    const auto node = world.build(world.spec("node"), one_file("export const handle = () => 1\n"));
    CHECK(fs::exists(world.bundle(node) / "index.mjs"));
}

TEST_CASE("the runtime is told by the files when nobody names it") {
    BuildWorld world;
    CHECK(world.build(world.spec(""), Files{{"index.js", "exports.handle = () => 1"}})
              .runtime.starts_with("node"));
    CHECK(world.build(world.spec(""), one_file("def handle(e): pass", "f.py")).runtime.starts_with("python"));
    const auto neither = world.build(world.spec(""), Files{{"README", "hello"}});
    CHECK(neither.status == "failed");
    CHECK(world.leftovers() == 0);
}

TEST_CASE("a runtime that is not there is noted, and the nearest one is used") {
    BuildWorld world;
    FunctionSpec spec = world.spec("python");
    spec.runtime.version = "3.2";
    BuildSource source;
    source.archive = world.archive(hello);
    CHECK(take(world.service->check(spec, source)).size() == 1);
    const auto version = world.build(spec, source);
    CHECK(contains(world.log(version), "python3.2 is not on this host"));
    CHECK(version.spec.runtime.version != "3.2");
    spec.runtime = {"cobol", "1"};
    CHECK(hks::test::failure(world.service->check(spec, source)) == "INVALID_RUNTIME");
}

TEST_CASE("an error while loading fails the version with its own words and a hint") {
    BuildWorld world;
    const auto version =
        world.build(world.spec("python"), Files{{"function.py", "import nosuch\n"}, {"load", "throw"}});
    REQUIRE(version.status == "failed");
    CHECK(version.error.starts_with(
        "ModuleNotFoundError: No module named 'nosuch'. Add its package to requirements"));
    const std::string log = world.log(version);
    CHECK(contains(log, "Traceback (most recent call last):\n  File \"function.py\", line 1\n"));
    CHECK(contains(log, "failed after "));
    CHECK(world.leftovers() == 0);
    CHECK(world.backend.alive == 0);
    CHECK(take(world.registry.get("default", "hello")).active_version == 0);
}

TEST_CASE("a backend that cannot start anything fails the version") {
    BuildWorld world;
    const auto version = world.build(world.spec("python"), Files{{"function.py", ""}, {"load", "refuse"}});
    CHECK(version.status == "failed");
    CHECK(contains(version.error, "no room for a process"));
}

TEST_CASE("loading that never ends is ended by the time limit") {
    BuildWorld world;
    world.timeout = 300ms;
    world.restart();
    const auto version = world.build(world.spec("python"), Files{{"function.py", ""}, {"load", "hang"}});
    CHECK(version.status == "failed");
    CHECK(contains(version.error, "did not finish loading"));
    for (int i = 0; i < 500 && world.backend.alive != 0; ++i) std::this_thread::sleep_for(10ms);
    CHECK(world.backend.alive == 0);
    CHECK(world.leftovers() == 0);
}

TEST_CASE("an archive that is refused fails the version and leaves nothing") {
    BuildWorld world;
    BuildSource source;
    source.archive = world.archive({{"function.py", ""}, {"../../evil.py", "x"}});
    const auto version = world.build(world.spec("python"), source);
    CHECK(version.status == "failed");
    CHECK(contains(version.error, "../../evil.py"));
    CHECK_FALSE(fs::exists(world.folder.path() / "evil.py"));
    CHECK(world.leftovers() == 0);
    source.archive = "no archive";
    CHECK(hks::test::failure(world.service->check(world.spec("python"), source)) == "VALIDATION_ERROR");
}

TEST_CASE("a bundle over the limit is refused") {
    BuildWorld world;
    world.max_bundle_bytes = 1000;
    world.restart();
    const auto version = world.build(world.spec("python"), Files{{"function.py", std::string(2000, '#')}});
    CHECK(version.status == "failed");
    CHECK(world.leftovers() == 0);
}

TEST_CASE("the same source twice is the same digest, and is neither built nor loaded again") {
    BuildWorld world;
    const auto one = world.build(world.spec("python"), hello);
    const int starts = world.backend.starts;
    const auto two = world.build(world.spec("python"), hello);
    CHECK(two.status == "success");
    CHECK(two.digest == one.digest);
    CHECK(two.spec.handler == "function.handle");
    CHECK(contains(world.log(two), "is used again"));
    CHECK(world.backend.starts == starts);
    CHECK(world.leftovers() == 0);
}

TEST_CASE("the same source under another configuration is loaded again") {
    BuildWorld world;
    world.build(world.spec("python"), hello);
    const int starts = world.backend.starts;
    FunctionSpec spec = world.spec("python");
    spec.variables["MODE"] = "new";
    CHECK(world.build(spec, hello).status == "success");
    CHECK(world.backend.starts == starts + 1);
    spec.handler = "function.other";
    CHECK(world.build(spec, hello).spec.handler == "function.other");
    CHECK(world.backend.starts == starts + 2);
}

TEST_CASE("a bundle that was swept is built again") {
    BuildWorld world;
    const auto one = world.build(world.spec("python"), hello);
    take(world.registry.remove("default", "hello"));
    CHECK(take(world.service->sweep()) == 1);
    const auto two = world.build(world.spec("python"), hello);
    CHECK(two.status == "success");
    CHECK(fs::exists(world.bundle(two)));
}

TEST_CASE("the bundle of a function that is deleted goes by itself, and no other") {
    BuildWorld world;
    const auto gone = world.build(world.spec("python"), hello);
    registry::NewVersion wanted;
    wanted.spec = world.spec("python");
    auto [function, kept] = take(world.registry.create("default", "other", wanted));
    BuildSource source;
    source.archive = world.archive({{"function.py", "def handle(event): return 'other'\n"}});
    world.service->enqueue(function, kept, std::move(source));
    REQUIRE(soon([&] { return take(world.registry.version("default", "other", 1)).status == "success"; }));
    kept = take(world.registry.version("default", "other", 1));
    take(world.registry.remove("default", "hello"));
    CHECK(soon([&] { return !fs::exists(world.bundle(gone)); }));
    CHECK(fs::exists(world.bundle(kept)));
}

TEST_CASE("the bundle of a deleted function stays as long as an instance runs from it") {
    BuildWorld world;
    const auto version = world.build(world.spec("python"), hello);
    auto running = world.registry.watch().get()->find("default", "hello")->active;
    take(world.registry.remove("default", "hello"));
    CHECK(take(world.service->sweep()) == 0);
    std::this_thread::sleep_for(500ms);
    CHECK(fs::exists(world.bundle(version)));
    running.reset();
    CHECK(soon([&] { return !fs::exists(world.bundle(version)); }));
}

TEST_CASE("a bundle that two functions share stays until both are deleted") {
    BuildWorld world;
    const auto version = world.build(world.spec("python"), hello);
    registry::NewVersion wanted;
    wanted.spec = world.spec("python");
    const auto [function, twin] = take(world.registry.create("default", "twin", wanted));
    world.service->enqueue_reuse(function, twin, version);
    REQUIRE(soon([&] { return take(world.registry.version("default", "twin", 1)).status == "success"; }));
    take(world.registry.remove("default", "hello"));
    std::this_thread::sleep_for(500ms);
    CHECK(fs::exists(world.bundle(version)));
    take(world.registry.remove("default", "twin"));
    CHECK(soon([&] { return !fs::exists(world.bundle(version)); }));
}

TEST_CASE("a quick build does not wait for slow ones") {
    BuildWorld world;
    for (int i = 0; i < 3; ++i) world.start(world.spec("python"), Files{{"function.py", ""}, {"load", "hang"}});
    while (world.backend.starts < 3) std::this_thread::sleep_for(5ms);
    const auto start = std::chrono::steady_clock::now();
    const auto version = world.build(world.spec("python"), hello);
    CHECK(version.status == "success");
    CHECK_FALSE(contains(world.log(version), "waiting for"));
    CHECK(std::chrono::steady_clock::now() - start < 2s);
}

TEST_CASE("a failure that cannot be written down is told, and written as soon as it can be") {
    BuildWorld world;
    take(world.database->execute(
        "CREATE TRIGGER full BEFORE UPDATE ON versions BEGIN SELECT RAISE(ABORT, 'no space'); END"));
    const auto version = world.build(world.spec("python"), Files{{"function.py", ""}, {"load", "throw"}});
    CHECK(version.status == "building");
    CHECK(world.leftovers() == 0);
    const auto told = world.service->unwritten(version.key);
    REQUIRE(told);
    CHECK(contains(told->message, "no space"));
    CHECK(contains(told->message, "No module named 'nosuch'"));
    CHECK_FALSE(world.service->unwritten(version.key + 1));
    take(world.database->execute("DROP TRIGGER full"));
    CHECK(soon([&] { return take(world.registry.version("default", "hello", 1)).status == "failed"; }));
    CHECK(soon([&] { return !world.service->unwritten(version.key); }));
    CHECK(contains(take(world.registry.version("default", "hello", 1)).error, "nosuch"));
}

TEST_CASE("a sweep leaves alone what versions use") {
    BuildWorld world;
    const auto version = world.build(world.spec("python"), hello);
    CHECK(take(world.service->sweep()) == 0);
    CHECK(fs::exists(world.bundle(version)));
}

TEST_CASE("variables and secrets reach the smoke load, which may enter the folder") {
    BuildWorld world;
    take(world.secrets.put("default", "db", {{"url", "postgres://x"}}, false));
    FunctionSpec spec = world.spec("python");
    spec.variables["MODE"] = "a";
    spec.secrets.push_back({"DB", "db", "url"});
    REQUIRE(world.build(spec, hello).status == "success");
    std::lock_guard lock(world.backend.mutex);
    using Variables = std::vector<std::pair<std::string, std::string>>;
    CHECK(world.backend.last.environment == Variables{{"MODE", "a"}, {"DB", "postgres://x"}});
    CHECK(world.backend.last.smoke);
    CHECK(world.backend.last_mode == 0755);
}

TEST_CASE("a secret that does not exist fails the version and is named") {
    BuildWorld world;
    FunctionSpec spec = world.spec("python");
    spec.secrets.push_back({"DB", "nosuch", "url"});
    const auto version = world.build(spec, hello);
    CHECK(version.status == "failed");
    CHECK(contains(version.error, "nosuch"));
}

TEST_CASE("a version with secrets is always loaded again, because their values may have changed") {
    BuildWorld world;
    take(world.secrets.put("default", "db", {{"url", "1"}}, false));
    FunctionSpec spec = world.spec("python");
    spec.secrets.push_back({"DB", "db", "url"});
    world.build(spec, hello);
    const int starts = world.backend.starts;
    world.build(spec, hello);
    CHECK(world.backend.starts == starts + 1);
}

TEST_CASE("a new configuration takes the code of an earlier version") {
    BuildWorld world;
    const auto one = world.build(world.spec("python"), hello);
    FunctionSpec spec = one.spec;
    spec.variables["MODE"] = "b";
    const auto two = world.begin(spec);
    world.service->enqueue_reuse(world.function, two, one);
    const auto built = world.wait(two);
    CHECK(built.status == "success");
    CHECK(built.digest == one.digest);
}

TEST_CASE("a version that never had code gives none") {
    BuildWorld world;
    const auto one = world.build(world.spec("python"), Files{{"function.py", ""}, {"load", "throw"}});
    const auto two = world.begin(world.spec("python"));
    world.service->enqueue_reuse(world.function, two, one);
    CHECK(world.wait(two).status == "failed");
}

TEST_CASE("bytecode that a bundle brings never replaces its source") {
    BuildWorld world;
    Files files = hello;
    files["__pycache__/function.cpython-311.pyc"] = "evil";
    const auto version = world.build(world.spec("python"), files);
    REQUIRE(version.status == "success");
    CHECK(hks::test::read_file(world.bundle(version) / "__pycache__/function.cpython-311.pyc") != "evil");
}

TEST_CASE("stop ends a build that loads, and the builds that wait") {
    BuildWorld world;
    const auto running = hold_all(world);
    const auto waiting = world.start(world.spec("python"), hello);
    CHECK(contains(world.log(waiting), "waiting for " + std::to_string(running.size()) + " builds"));
    const auto start = std::chrono::steady_clock::now();
    world.service->stop();
    CHECK(std::chrono::steady_clock::now() - start < 2s);
    for (const auto& version : running) CHECK(world.wait(version).status == "failed");
    CHECK(contains(world.wait(waiting).error, "stopped before the build began"));
    const auto late = world.start(world.spec("python"), hello);
    CHECK(world.wait(late).status == "failed");
    CHECK(world.leftovers() == 0);
}

TEST_CASE("a function that is removed while it is built leaves no trace but its log") {
    BuildWorld world;
    world.timeout = 1s;
    world.restart();
    const auto version = world.start(world.spec("python"), Files{{"function.py", ""}, {"load", "hang"}});
    while (world.backend.starts == 0) std::this_thread::sleep_for(5ms);
    take(world.registry.remove("default", "hello"));
    bool finished = false;
    while (!finished) {
        take(world.service->log(version.key, -1, finished));
        std::this_thread::sleep_for(5ms);
    }
    CHECK(world.leftovers() == 0);
}

TEST_CASE("what a crash left is swept when the service opens") {
    BuildWorld world;
    hks::test::write_file(world.folder.path() / "build/tmp/old/x", "1");
    world.restart();
    CHECK(world.leftovers() == 0);
    CHECK(world.build(world.spec("python"), hello).status == "success");
}

TEST_CASE("followers of a build hear of its lines and of its end") {
    BuildWorld world;
    const auto version = world.begin(world.spec("python"));
    std::atomic<int> heard{0};
    auto handle = world.service->follow(version.key, [&] { ++heard; });
    BuildSource source;
    source.archive = world.archive(hello);
    world.service->enqueue(world.function, version, source);
    world.wait(version);
    for (int i = 0; i < 100 && heard == 0; ++i) std::this_thread::sleep_for(5ms);
    CHECK(heard > 0);
    std::atomic<bool> dropped{false};
    boost::asio::post(world.loop, [&] {
        handle.reset();
        dropped = true;
    });
    while (!dropped) std::this_thread::sleep_for(1ms);
}
