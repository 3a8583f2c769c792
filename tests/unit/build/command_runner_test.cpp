// SPDX-License-Identifier: Apache-2.0
#include "build/command_runner.hpp"

#include "support/temporary_folder.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <thread>

using namespace hks;
using namespace hks::build;
using namespace std::chrono_literals;
using End = CommandResult::End;

namespace {

struct Ran {
    CommandResult result;
    std::vector<std::string> lines;
    std::chrono::steady_clock::duration took{};
};

Command shell(const std::string& script) {
    Command command;
    command.argv = {"/bin/sh", "-c", script};
    command.environment = {"PATH=/usr/bin:/bin"};
    return command;
}

Ran run(Command command, const StopSignal& stop) {
    Ran ran;
    command.on_line = [&](std::string_view line) { ran.lines.emplace_back(line); };
    const auto start = std::chrono::steady_clock::now();
    auto result = run_command(command, stop);
    ran.took = std::chrono::steady_clock::now() - start;
    REQUIRE(result.has_value());
    ran.result = *result;
    return ran;
}

Ran run(const Command& command) {
    const StopSignal never;
    return run(command, never);
}

/// Waits for a file that a child writes its pid to.
pid_t pid_in(const std::string& file) {
    for (int i = 0; i < 500; ++i) {
        const std::string text = test::read_file(file);
        if (text.ends_with('\n')) return std::atoi(text.c_str());
        std::this_thread::sleep_for(10ms);
    }
    FAIL("no pid in " << file);
    return 0;
}

/// Dead, or dead and not yet fetched by whoever inherited it.
bool is_gone(pid_t pid) {
    for (int i = 0; i < 300; ++i) {
        if (kill(pid, 0) != 0) return true;
        const std::string stat = test::read_file("/proc/" + std::to_string(pid) + "/stat");
        if (stat.empty() || stat.find(") Z ") != std::string::npos) return true;
        std::this_thread::sleep_for(10ms);
    }
    return false;
}

}  // namespace

TEST_CASE("output of both streams comes line by line, the last one without a newline too") {
    const Ran ran = run(shell("echo one; echo two >&2; printf three"));
    CHECK(ran.result.good());
    CHECK(ran.lines == std::vector<std::string>{"one", "two", "three"});
}

TEST_CASE("a progress bar shows its last state") {
    CHECK(run(shell("printf '10%%\\r50%%\\r100%%\\n'; printf 'dos\\r\\n'")).lines ==
          std::vector<std::string>{"100%", "dos"});
}

TEST_CASE("exit codes and signals are told apart") {
    CHECK(run(shell("exit 3")).result.text() == "exited with code 3");
    const Ran killed = run(shell("kill -9 $$"));
    CHECK(killed.result.end == End::signalled);
    CHECK(killed.result.code == SIGKILL);
}

TEST_CASE("arguments reach the program as they are, whatever a shell would do with them") {
    Command command;
    command.argv = {"/bin/echo", "$(id)", "`id`", "a;b", "*", ""};
    CHECK(run(command).lines == std::vector<std::string>{"$(id) `id` a;b * "});
}

TEST_CASE("nothing of our environment reaches the program") {
    setenv("HKS_TEST_PASSWORD", "secret", 1);
    Command command;
    command.argv = {"/usr/bin/env"};
    command.environment = {"ONE=1"};
    CHECK(run(command).lines == std::vector<std::string>{"ONE=1"});
    unsetenv("HKS_TEST_PASSWORD");
}

TEST_CASE("none of our descriptors reaches the program") {
    const int open_one = open("/dev/null", O_RDONLY);
    const Ran ran = run(shell("ls /proc/self/fd | wc -l"));
    CHECK(ran.lines == std::vector<std::string>{"4"});  // 0, 1, 2 and the folder that ls reads
    close(open_one);
}

TEST_CASE("stdin is at its end") {
    const Ran ran = run(shell("read line && echo got || echo end"));
    CHECK(ran.lines == std::vector<std::string>{"end"});
}

TEST_CASE("the program runs in its folder") {
    const test::TemporaryFolder folder;
    Command command = shell("pwd -P");
    command.folder = folder.path();
    CHECK(run(command).lines == std::vector<std::string>{std::filesystem::canonical(folder.path()).string()});
}

TEST_CASE("a program that is not there is an error with its name") {
    Command command;
    command.argv = {"/nowhere/npm"};
    const StopSignal stop;
    auto result = run_command(command, stop);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().message.find("/nowhere/npm") != std::string::npos);
}

TEST_CASE("the time limit ends the whole group") {
    const test::TemporaryFolder folder;
    Command command = shell("sleep 60 & echo $! > child; wait");
    command.folder = folder.path();
    command.deadline = std::chrono::steady_clock::now() + 500ms;
    const Ran ran = run(command);
    CHECK(ran.result.end == End::timed_out);
    CHECK(ran.took < 2s);
    CHECK(is_gone(pid_in(folder.file("child"))));
}

TEST_CASE("a program that ignores SIGTERM is killed") {
    Command command = shell("trap '' TERM; while :; do sleep 0.1; done");
    command.deadline = std::chrono::steady_clock::now() + 200ms;
    const Ran ran = run(command);
    CHECK(ran.result.end == End::timed_out);
    CHECK(ran.took < 10s);
}

TEST_CASE("stop interrupts at once") {
    StopSignal stop;
    std::thread stopper([&] {
        std::this_thread::sleep_for(100ms);
        stop.raise();
    });
    const Ran ran = run(shell("sleep 60"), stop);
    stopper.join();
    CHECK(ran.result.end == End::stopped);
    CHECK(ran.took < 3s);
}

TEST_CASE("what a program leaves in the background neither holds us up nor survives") {
    const test::TemporaryFolder folder;
    Command command = shell("sleep 60 & echo $! > child; echo done");
    command.folder = folder.path();
    const Ran ran = run(command);
    CHECK(ran.lines == std::vector<std::string>{"done"});
    CHECK(ran.took < 5s);
    CHECK(is_gone(pid_in(folder.file("child"))));
}

TEST_CASE("what left its group is found by its environment") {
    const test::TemporaryFolder folder;
    Command command = shell("setsid sh -c 'echo $$ > child; exec sleep 60' & sleep 0.5");
    command.folder = folder.path();
    const std::string home = "HOME=" + folder.path().string();
    command.environment.push_back(home);
    run(command);
    const pid_t pid = pid_in(folder.file("child"));
    CHECK(kill(pid, 0) == 0);
    kill_processes_with(home);
    CHECK(is_gone(pid));
}

TEST_CASE("a flood of output is cut, and the program still ends by itself") {
    Command command = shell("yes 0123456789 | head -c 3000000; exit 7");
    command.max_output_bytes = 1000;
    const Ran ran = run(command);
    CHECK(ran.result.code == 7);
    CHECK(ran.result.output_cut);
    CHECK(ran.lines.size() < 100);
}

TEST_CASE("a line without end comes in pieces") {
    const Ran ran = run(shell("head -c 100000 /dev/zero | tr '\\0' x"));
    size_t total = 0;
    for (const std::string& line : ran.lines) {
        CHECK(line.size() <= 8 * 1024);
        total += line.size();
    }
    CHECK(total == 100000);
}

TEST_CASE("the watch can end a command") {
    Command command = shell("sleep 60");
    command.watch = []() -> Result<void> { return Error(Errc::package_size_exceeded, "too big"); };
    const StopSignal stop;
    auto result = run_command(command, stop);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Errc::package_size_exceeded);
}

TEST_CASE("a build's environment has indexes, proxies and certificates, and no secrets") {
    setenv("PIP_FIND_LINKS", "/wheels", 1);
    setenv("npm_config_registry", "https://mirror.example", 1);
    setenv("HTTPS_PROXY", "http://proxy.example", 1);
    setenv("HKS_API_KEY", "hks_secret", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    const auto environment = build_environment("/build/home", "/opt/node/bin");
    auto has = [&](std::string_view text) {
        return std::any_of(environment.begin(), environment.end(),
                           [&](const std::string& variable) { return variable.starts_with(text); });
    };
    CHECK(has("PATH=/opt/node/bin:"));
    CHECK(has("HOME=/build/home"));
    CHECK(has("PIP_FIND_LINKS=/wheels"));
    CHECK(has("npm_config_registry="));
    CHECK(has("HTTPS_PROXY="));
    CHECK_FALSE(has("HKS_"));
    CHECK_FALSE(has("AWS_"));
    for (const char* name :
         {"PIP_FIND_LINKS", "npm_config_registry", "HTTPS_PROXY", "HKS_API_KEY", "AWS_SECRET_ACCESS_KEY"})
        unsetenv(name);
}

TEST_CASE("a program is found in the first folder of the path that has it") {
    const test::TemporaryFolder one, two;
    test::write_file(two.path() / "tool", "#!/bin/sh\n");
    chmod(two.file("tool").c_str(), 0755);
    test::write_file(one.path() / "tool", "not executable");
    CHECK(find_program("tool", one.path().string() + ":" + two.path().string()) == two.file("tool"));
    CHECK(find_program("tool", one.path().string()).empty());
    CHECK(find_program("tool", "").empty());
}
