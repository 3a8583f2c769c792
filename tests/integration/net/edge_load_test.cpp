// SPDX-License-Identifier: Apache-2.0
#include "edge_fixture.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <list>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>

using namespace hks::net;
using namespace hks::net::test;

namespace {

size_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    size_t total = 0, resident = 0;
    file >> total >> resident;
    return resident * 4096;
}

/// The limit of open files of this process; what the child of the test below lowers.
void limit_open_files(rlim_t count) {
    rlimit limit{count, count};
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Runs `body` in a process of its own; its exit code.
int in_child(int (*body)()) {
    const pid_t child = ::fork();
    if (child == 0) {
        int code = 99;
        try {
            code = body();
        } catch (const std::exception& e) {
            std::fprintf(stderr, "child: %s\n", e.what());
        }
        ::_exit(code);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// 40 descriptors for 60 clients: some are turned away, and after they left all is well again.
int survive_exhaustion() {
    TestServer server;
    RawClient early(server.port());
    if (early.exchange(get("/hello")).body != "hello") return 1;
    std::list<RawClient> crowd;
    // Client ends first, with the limit still high; the server's ends then do not fit.
    std::vector<int> fillers;
    limit_open_files(128);
    for (int i = 0; i < 50; ++i) crowd.emplace_back(server.port());
    std::this_thread::sleep_for(100ms);
    for (int fd; (fd = ::dup(0)) >= 0;) fillers.push_back(fd);
    try {
        // Connects as long as descriptors last: one for this end, none for the server's.
        for (int i = 0; i < 10; ++i) {
            ::close(fillers.back());
            fillers.pop_back();
            crowd.emplace_back(server.port());
        }
    } catch (const std::exception&) {
    }
    std::this_thread::sleep_for(350ms);
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    std::this_thread::sleep_for(500ms);
    ::getrusage(RUSAGE_SELF, &after);
    const auto busy_us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1'000'000 +
                         (after.ru_utime.tv_usec - before.ru_utime.tv_usec) +
                         (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1'000'000 +
                         (after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    if (busy_us > 250'000) return 2;
    if (early.exchange(get("/hello")).body != "hello") return 3;
    crowd.clear();
    for (int fd : fillers) ::close(fd);
    std::this_thread::sleep_for(300ms);
    RawClient late(server.port());
    return late.exchange(get("/hello")).body == "hello" ? 0 : 4;
}

}  // namespace

TEST_CASE("running out of descriptors neither ends nor spins the server") {
    CHECK(in_child(survive_exhaustion) == 0);
}

TEST_CASE("a thousand connections are served and cost at most 16 KiB each when idle") {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    TestServer server;
    std::list<RawClient> clients;
    { RawClient(server.port()).exchange(get("/hello")); }
    const size_t before = resident_bytes();
    for (int i = 0; i < 1000; ++i) clients.emplace_back(server.port());
    for (auto& client : clients)
        REQUIRE(client.exchange(post("/echo", std::string(40'000, 'x'))).body.size() == 40'000);
    for (auto& client : clients) client.send(get("/hello"));
    for (auto& client : clients) REQUIRE(client.receive_answer().body == "hello");
    CHECK(server.open_connections() == 1000);
    for (auto& client : clients) client.forget_buffers();
    ::malloc_trim(0);  // what the clients gave back is not the server's
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(resident_bytes() - before < 1000 * 16 * 1024);
#else
    (void)before;
#endif
    clients.clear();
    CHECK(server.wait_for_connections(0));
}

TEST_CASE("a connection over the limit is told to come back later") {
    TestServer server([](auto& options, auto&) { options.limits.max_connections = 3; });
    RawClient one(server.port()), two(server.port()), three(server.port());
    REQUIRE(one.exchange(get("/hello")).body == "hello");
    REQUIRE(server.wait_for_connections(3));
    RawClient four(server.port());
    CHECK(four.receive_all().find("HTTP/1.1 503") == 0);
    three.close();
    REQUIRE(server.wait_for_connections(2));
    RawClient five(server.port());
    CHECK(five.exchange(get("/hello")).body == "hello");
}

TEST_CASE("a server without connections, or with idle ones only, does nothing") {
    TestServer server;
    RawClient idle(server.port());
    idle.exchange(get("/hello"));
    std::this_thread::sleep_for(50ms);
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    std::this_thread::sleep_for(1s);
    ::getrusage(RUSAGE_SELF, &after);
#ifdef __SANITIZE_THREAD__
    constexpr long others = 15;  // the sanitizer's own thread wakes ten times a second
#else
    constexpr long others = 0;
#endif
    CHECK(after.ru_nvcsw - before.ru_nvcsw <= 5 + others);
}

TEST_CASE("clients of many threads that come and go are all served") {
    TestServer server;
    std::atomic<int> served = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 40; ++i) {
                RawClient client(server.port());
                for (int j = 0; j < 1 + (i + t) % 5; ++j)
                    if (client.exchange(get("/hello")).body == "hello") ++served;
                if (i % 3 == 0) client.send("GET /hel");
            }
        });
    for (auto& thread : threads) thread.join();
    int wanted = 0;
    for (int t = 0; t < 8; ++t)
        for (int i = 0; i < 40; ++i) wanted += 1 + (i + t) % 5;
    CHECK(served == wanted);
    CHECK(server.wait_for_connections(0));
}
