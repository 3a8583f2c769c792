// SPDX-License-Identifier: Apache-2.0
#include "build/build_log.hpp"

#include "support/results.hpp"
#include "support/temporary_folder.hpp"

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::build;
using test::take;

namespace {

struct Fixture {
    test::TemporaryFolder folder;
    std::unique_ptr<storage::Database> database =
        take(storage::Database::open(folder.file("logs.db"), storage::Durability::normal));
    boost::asio::io_context loop;
    BuildLogStore store{loop, *database, 1000};

    Fixture() { take(store.open()); }

    std::vector<std::string> texts(BuildLogStore& from, int64_t version, int64_t after = -1) {
        std::vector<std::string> out;
        for (const auto& line : take(from.lines(version, after, finished))) out.push_back(line.text);
        return out;
    }
    std::vector<std::string> texts(int64_t version, int64_t after = -1) {
        return texts(store, version, after);
    }
    bool finished = false;
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("lines can be read while the build runs and afterwards") {
    Fixture f;
    auto log = take(f.store.begin(7));
    log->say("one");
    CHECK(f.texts(7) == Texts{"one"});
    CHECK_FALSE(f.finished);
    log->flush();
    log->say("two");
    CHECK(f.texts(7) == Texts{"one", "two"});
    log->end();
    CHECK(f.texts(7) == Texts{"one", "two"});
    CHECK(f.finished);
}

TEST_CASE("reading goes on after a line, running or not") {
    Fixture f;
    auto log = take(f.store.begin(1));
    for (const char* text : {"a", "b", "c"}) log->say(text);
    CHECK(f.texts(1, 0) == Texts{"b", "c"});
    CHECK(f.texts(1, 99).empty());
    log->end();
    CHECK(f.texts(1, 1) == Texts{"c"});
    CHECK(f.texts(1, 99).empty());
    CHECK(take(f.store.lines(1, 1, f.finished)).front().index == 2);
}

TEST_CASE("lines survive a restart") {
    Fixture f;
    auto log = take(f.store.begin(1));
    log->say("kept");
    log->end();
    BuildLogStore again(f.loop, *f.database, 1000);
    take(again.open());
    CHECK(f.texts(again, 1) == Texts{"kept"});
    auto next = take(again.begin(2));
    next->say("new");
    next->end();
    CHECK(f.texts(again, 1) == Texts{"kept"});
    CHECK(f.texts(again, 2) == Texts{"new"});
}

TEST_CASE("an unknown build has no lines and is over") {
    Fixture f;
    CHECK(f.texts(42).empty());
    CHECK(f.finished);
}

TEST_CASE("a flood of output is cut once, our own lines still come") {
    Fixture f;
    auto log = take(f.store.begin(1));
    for (int i = 0; i < 100; ++i) log->output(std::string(100, 'x'));
    log->say("failed");
    log->end();
    const Texts lines = f.texts(1);
    REQUIRE(lines.size() < 15);
    CHECK(lines[lines.size() - 2].find("left out") != std::string::npos);
    CHECK(lines.back() == "failed");
}

TEST_CASE("what tools print cannot play with a terminal") {
    Fixture f;
    auto log = take(f.store.begin(1));
    log->output("\x1b[31mred\x1b[0m\x07 tab\there \xFF");
    CHECK(f.texts(1) == Texts{"red tab\there \xEF\xBF\xBD"});
}

TEST_CASE("an empty line stays a line") {
    Fixture f;
    auto log = take(f.store.begin(1));
    log->output("");
    log->output("x");
    CHECK(f.texts(1) == Texts{"", "x"});
}

TEST_CASE("followers hear of lines and of the end, each turn once, on the loop") {
    Fixture f;
    auto log = take(f.store.begin(1));
    int heard = 0;
    auto handle = f.store.follow(1, [&] { ++heard; });
    log->say("a");
    log->say("b");
    CHECK(heard == 0);
    f.loop.run();
    CHECK(heard == 1);
    log->end();
    f.loop.restart();
    f.loop.run();
    CHECK(heard == 2);
}

TEST_CASE("a dropped follower hears nothing, not even what was on its way") {
    Fixture f;
    auto log = take(f.store.begin(1));
    int heard = 0;
    auto handle = f.store.follow(1, [&] { ++heard; });
    auto other = f.store.follow(2, [&] { ++heard; });
    log->say("a");
    handle.reset();
    f.loop.run();
    CHECK(heard == 0);
}

TEST_CASE("old builds make room for new ones") {
    Fixture f;
    for (int64_t version = 1; version <= 510; ++version) {
        auto log = take(f.store.begin(version));
        log->say("x");
        log->end();
    }
    CHECK(f.texts(1).empty());
    CHECK(f.texts(10).empty());
    CHECK(f.texts(11) == Texts{"x"});
    CHECK(f.texts(510) == Texts{"x"});
}
