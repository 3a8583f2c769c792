// SPDX-License-Identifier: Apache-2.0
#include <hks/core/function.hpp>

#include <catch2/catch.hpp>

using namespace hks;

TEST_CASE("runtime spellings are one table") {
    struct Row {
        const char* spelling;
        const char* name;
        const char* version;
    };
    const Row row = GENERATE(
        Row{"python", "python", ""}, Row{"python3", "python", ""}, Row{"python3.9", "python", "3.9"},
        Row{"python39", "python", "3.9"}, Row{"python3.11", "python", "3.11"},
        Row{"python311", "python", "3.11"}, Row{"python3.11.4", "python", "3.11"},
        Row{"python3.11.x", "python", "3.11"}, Row{"python3.x", "python", ""},
        Row{"python2", "python", "2"}, Row{"python2.7", "python", "2.7"}, Row{"python27", "python", "2.7"},
        Row{"python4", "python", "4"}, Row{"python4.x", "python", "4"},
        Row{"Python3.11", "python", "3.11"}, Row{"node", "node", ""}, Row{"nodejs", "node", ""},
        Row{"node18", "node", "18"}, Row{"nodejs18", "node", "18"}, Row{"nodejs18.x", "node", "18"},
        Row{"node20.x", "node", "20"}, Row{"node20.11.0", "node", "20"}, Row{"NodeJS20", "node", "20"});
    INFO(row.spelling);
    const auto runtime = parse_runtime(row.spelling);
    REQUIRE(runtime.has_value());
    CHECK(runtime->name == row.name);
    CHECK(runtime->version == row.version);
}

TEST_CASE("other runtimes are invalid") {
    const std::string spelling =
        GENERATE(as<std::string>{}, "", "go1.21", "java17", "custom", "python0", "python10",
                 "python3.", "python3..9", "python3.9.1.2", "python03", "python3.09", "python-3.9",
                 "python3333", "py3", "node.js", "node0", "node18.", "nodex", "node18x", "node 18",
                 "nodejs18.x.x.x", "ruby", std::string(10'000, 'p'));
    INFO(spelling);
    const auto runtime = parse_runtime(spelling);
    REQUIRE_FALSE(runtime.has_value());
    CHECK(runtime.error().code == Errc::invalid_runtime);
}

TEST_CASE("a slip in a runtime gets a suggestion that every host has, and the spellings") {
    CHECK_THAT(parse_runtime("pyhton3.11").error().message,
               Catch::Contains("Did you mean python? Use python or node"));
    CHECK_THAT(parse_runtime("nodejs20.y").error().message, Catch::Contains("Did you mean node?"));
    CHECK_THAT(parse_runtime("ruby").error().message, Catch::Contains("Use python or node"));
}
