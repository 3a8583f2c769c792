// SPDX-License-Identifier: Apache-2.0
#include "runtime/process/call_table.hpp"

#include <catch2/catch.hpp>
#include <map>

namespace hks::runtime {

TEST_CASE("a call is found by its id until it is erased") {
    CallTable table;
    table.insert(7).streaming = true;
    REQUIRE(table.find(7));
    CHECK(table.find(7)->streaming);
    CHECK(table.find(8) == nullptr);
    table.erase(*table.find(7));
    CHECK(table.find(7) == nullptr);
    CHECK(table.size() == 0);
}

TEST_CASE("the id of the connection itself is never a call") {
    CallTable table;
    CHECK(table.find(0) == nullptr);
}

TEST_CASE("erasing in the middle of a cluster keeps its other members reachable") {
    CallTable table;
    // All of them want the same slot of the first sixteen.
    for (const uint32_t id : {16u, 32u, 48u, 64u}) table.insert(id);
    table.erase(*table.find(32));
    CHECK(table.find(16));
    CHECK(table.find(32) == nullptr);
    CHECK(table.find(48));
    CHECK(table.find(64));
}

TEST_CASE("one endless call among millions of short ones stays, and the table stays small") {
    CallTable table;
    table.insert(1).owed = 42;
    for (uint32_t id = 2; id < 200'000; id++) {
        table.insert(id);
        table.erase(*table.find(id));
    }
    REQUIRE(table.find(1));
    CHECK(table.find(1)->owed == 42);
    CHECK(table.size() == 1);
}

TEST_CASE("ids wrap around without losing anybody") {
    CallTable table;
    std::map<uint32_t, bool> wanted;
    for (uint32_t i = 0; i < 100; i++) {
        const uint32_t id = 0xffffffceu + i;
        if (id == 0) continue;
        table.insert(id);
        wanted[id] = true;
    }
    for (const auto& [id, there] : wanted) CHECK((table.find(id) != nullptr) == there);
    CHECK(table.size() == wanted.size());
}

}  // namespace hks::runtime
