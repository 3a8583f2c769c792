// SPDX-License-Identifier: Apache-2.0
#include <hks/core/ids.hpp>

#include <catch2/catch.hpp>
#include <chrono>
#include <set>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace hks;

TEST_CASE("an invocation id reads back what it prints") {
    const auto id = InvocationId::generate();
    InvocationId read;
    REQUIRE(InvocationId::parse(id.text(), read));
    CHECK(read.text() == id.text());
    CHECK(read.key() == id.key());
}

TEST_CASE("the key of an id is the time in microseconds") {
    using namespace std::chrono;
    const auto now =
        static_cast<uint64_t>(duration_cast<microseconds>(system_clock::now().time_since_epoch()).count());
    const auto key = InvocationId::generate().key();
    CHECK(key >= now);
    CHECK(key < now + 1'000'000);
}

TEST_CASE("keys grow, however fast ids are made") {
    uint64_t last = 0;
    for (int i = 0; i < 100'000; ++i) {
        const auto key = InvocationId::generate().key();
        REQUIRE(key > last);
        last = key;
    }
}

TEST_CASE("keys are unique over threads") {
    constexpr size_t per_thread = 20'000;
    std::vector<std::vector<uint64_t>> made(4);
    std::vector<std::thread> threads;
    for (auto& keys : made)
        threads.emplace_back([&keys] {
            for (size_t i = 0; i < per_thread; ++i) keys.push_back(InvocationId::generate().key());
        });
    for (auto& thread : threads) thread.join();
    std::set<uint64_t> all;
    for (const auto& keys : made) all.insert(keys.begin(), keys.end());
    CHECK(all.size() == made.size() * per_thread);
}

TEST_CASE("the second half of an id does not repeat") {
    std::set<std::string> seen;
    for (int i = 0; i < 5'000; ++i) seen.insert(std::string(InvocationId::generate().text().substr(16)));
    CHECK(seen.size() == 5'000);
}

TEST_CASE("a forked child does not make its parent's ids") {
    (void)InvocationId::generate();  // fills the buffer that the child inherits
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const auto id = InvocationId::generate();
        _exit(write(ends[1], id.text().data(), 32) == 32 ? 0 : 1);
    }
    char text[32];
    REQUIRE(read(ends[0], text, sizeof text) == 32);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(InvocationId::generate().text().substr(16) != std::string_view(text, 32).substr(16));
    close(ends[0]);
    close(ends[1]);
}

TEST_CASE("text that is not 32 lower-case hex digits is no invocation id") {
    const std::string text =
        GENERATE(as<std::string>{}, "", "0", std::string(31, 'a'), std::string(33, 'a'), std::string(32, 'A'),
                 std::string(31, 'a') + "g", std::string(31, 'a') + "\n");
    InvocationId id;
    CHECK_FALSE(InvocationId::parse(text, id));
}

TEST_CASE("a made id is its prefix and 26 characters of base32") {
    const auto id = make_id("fn_");
    CHECK(id.size() == 29);
    CHECK(id.starts_with("fn_"));
    CHECK(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz", 3) == std::string::npos);
    CHECK(make_id("fn_") != id);
}

TEST_CASE("names follow the grammar") {
    const std::string good =
        GENERATE(as<std::string>{}, "a", "0", "hello", "a-b", "a--b", "9lives", std::string(63, 'x'));
    CHECK(is_valid_name(good));
}

TEST_CASE("other names are refused") {
    const std::string bad = GENERATE(as<std::string>{}, "", "-a", "a-", "-", "A", "a_b", "a.b", "a b",
                                     "\xc3\xa4", std::string(64, 'x'), "a\n");
    CHECK_FALSE(is_valid_name(bad));
}
