// SPDX-License-Identifier: Apache-2.0
#include "runtime/process/cgroup.hpp"

#include <catch2/catch.hpp>

namespace hks::runtime {

TEST_CASE("cgroup mounts of both versions are found in mountinfo, other mounts are not") {
    const auto mounts = parse_cgroup_mounts(
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
        "36 31 0:33 /docker/x /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "a line that makes no sense\n");
    REQUIRE(mounts.size() == 3);
    CHECK(mounts[0].mount_point == "/sys/fs/cgroup/memory");
    CHECK(mounts[0].controllers == "rw,memory");
    CHECK(mounts[1].root == "/docker/x");
    CHECK(mounts[2].controllers.empty());
}

TEST_CASE("our own group is found by controller, and for version 2 by the line without one") {
    const std::string text = "5:memory:/a/b\n4:cpu,cpuacct:/c\n0::/unified.slice\n";
    CHECK(parse_own_cgroup(text, "memory") == "/a/b");
    CHECK(parse_own_cgroup(text, "cpuacct") == "/c");
    CHECK(parse_own_cgroup(text, "") == "/unified.slice");
    CHECK(parse_own_cgroup(text, "pids") == std::nullopt);
}

TEST_CASE("a keyed value is read by its whole key") {
    const std::string events = "oom 3\noom_kill 2\noom_kill_disable 0\n";
    CHECK(parse_keyed(events, "oom_kill") == 2);
    CHECK(parse_keyed(events, "oom") == 3);
    CHECK(parse_keyed(events, "high") == 0);
    CHECK(parse_keyed("", "oom") == 0);
}

}  // namespace hks::runtime
