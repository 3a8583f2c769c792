// SPDX-License-Identifier: Apache-2.0
// Nothing may be left: no process, cgroup, mount or file, however the server ends.
#include "integration/runtime/backend_fixture.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <set>
#include <sys/wait.h>

namespace hks::runtime::test {

namespace {

std::set<std::string> our_cgroups() {
    std::set<std::string> found;
    std::error_code error;
    for (auto at = std::filesystem::recursive_directory_iterator("/sys/fs/cgroup", error);
         at != std::filesystem::recursive_directory_iterator(); at.increment(error))
        if (at->path().filename().string().starts_with("hks-")) found.insert(at->path().string());
    return found;
}

std::string mounts() {
    std::ifstream file("/proc/self/mountinfo");
    return {std::istreambuf_iterator<char>(file), {}};
}

const char* leaves_a_daemon = R"(
import os, time
def handle(event):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 5)
            time.sleep(600)
        os._exit(0)
    return os.getpid()
)";

}  // namespace

TEST_CASE("after stop() no process, cgroup, mount or file is left") {
    const auto cgroups_before = our_cgroups();
    const std::string mounts_before = mounts();
    const bool use_cgroups = GENERATE(true, false);
    ProcessBackendOptions options;
    options.use_cgroups = use_cgroups;
    Backend backend(options);
    TestListener listener;
    auto instance = backend.ready(backend.version("python", {{"function.py", leaves_a_daemon}}), listener);
    backend.call(*instance);
    CHECK(descendants_of(backend.spawner->pid()).size() >= 3);
    backend.stop();
    CHECK(listener.gone);
    CHECK(backend.run_until([&] { return descendants_of(backend.spawner->pid()).empty(); }));
    CHECK(our_cgroups() == cgroups_before);
    CHECK(mounts() == mounts_before);
    CHECK(std::filesystem::is_empty(std::filesystem::path(backend.options.data_dir) / "instances"));
}

TEST_CASE("a daemon that a function left behind ends with its instance") {
    const bool use_cgroups = GENERATE(true, false);
    ProcessBackendOptions options;
    options.use_cgroups = use_cgroups;
    options.python_pool = 0;  // processes are counted
    Backend backend(options);
    TestListener listener, other;
    auto instance = backend.ready(backend.version("python", {{"function.py", leaves_a_daemon}}), listener);
    auto neighbour = backend.ready(
        backend.version("python", {{"function.py", "def handle(event): return 'alive'"}}), other);
    backend.call(*instance);
    const size_t with_daemon = descendants_of(backend.spawner->pid()).size();
    instance->kill("enough");
    REQUIRE(backend.run_until([&] { return listener.gone.has_value(); }));
    CHECK(
        backend.run_until([&] { return descendants_of(backend.spawner->pid()).size() <= with_daemon - 2; }));
    CHECK(backend.call(*neighbour) == "alive");
}

TEST_CASE("after kill -9 of the server everything it started ends too") {
    const auto cgroups_before = our_cgroups();
    const bool use_cgroups = GENERATE(true, false);
    int report[2];
    REQUIRE(::pipe(report) == 0);
    const pid_t server = ::fork();
    if (server == 0) {
        ProcessBackendOptions options;
        options.use_cgroups = use_cgroups;
        Backend backend(options);
        TestListener listener, node_listener;
        auto instance =
            backend.ready(backend.version("python", {{"function.py", leaves_a_daemon}}), listener);
        auto node =
            backend.ready(backend.version("node", {{"index.js", "exports.handle = () => 1"}}), node_listener);
        backend.call(*instance);
        const std::string line =
            std::to_string(backend.spawner->pid()) + " " + backend.folder.string() + "\n";
        (void)!::write(report[1], line.data(), line.size());
        ::pause();
        ::_exit(0);
    }
    char text[256] = {};
    REQUIRE(::read(report[0], text, sizeof text - 1) > 0);
    std::istringstream line(text);
    int spawner = 0;
    std::string folder;
    line >> spawner >> folder;
    const auto processes = descendants_of(spawner);
    CHECK(processes.size() >= 4);
    ::kill(server, SIGKILL);
    REQUIRE(::waitpid(server, nullptr, 0) == server);
    int waited = 0;
    while (waited++ < 5000 && process_exists(spawner)) ::usleep(1000);
    CHECK(waited < 5000);
    for (const int pid : processes) CHECK_FALSE(process_exists(pid));
    CHECK(our_cgroups() == cgroups_before);
    CHECK(std::filesystem::is_empty(std::filesystem::path(folder) / "data" / "instances"));
    std::filesystem::remove_all(folder);
    ::close(report[0]);
    ::close(report[1]);
}

TEST_CASE("when the spawner dies, instances fail and new ones are refused with a reason") {
    Backend backend;
    TestListener listener;
    const auto version = backend.version("python", {{"function.py", "def handle(event): return 1"}});
    auto instance = backend.ready(version, listener);
    ::kill(backend.spawner->pid(), SIGKILL);
    REQUIRE(backend.run_until([&] { return listener.gone.has_value(); }));
    LaunchSpec spec;
    spec.version = version;
    const auto again = backend.backend->start(spec, listener);
    REQUIRE(again.has_error());
    CHECK(again.error().code == Errc::provider_error);
}

}  // namespace hks::runtime::test
