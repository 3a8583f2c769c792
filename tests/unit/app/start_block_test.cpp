// SPDX-License-Identifier: Apache-2.0
#include "app/start_block.hpp"

#include "app/root_handler.hpp"

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::app;

TEST_CASE("the start block tells address, data, backend, runtimes, isolation and where the token is") {
    StartBlock block;
    block.address = "127.0.0.1";
    block.port = 8080;
    block.data_dir = "/data";
    block.backend = "process";
    block.capabilities = R"({"isolation": {"rlimits": "in_force", "cgroup": "missing: no",
    "user_namespace" : "not used here"
}
})";
    block.runtimes = {{"python", "3.11.2", "/usr/bin/python3.11"}};
block.has_token_file = true;
const std::string text = start_block_text(block);
for (const char* part : {"http://127.0.0.1:8080\n", "/data\n", "process", "python3.11 (/usr/bin/python3.11)",
                         "rlimits; missing: cgroup\n", "/data/admin-token"})
    CHECK(text.find(part) != std::string::npos);
CHECK(text.find("user_namespace") == std::string::npos);
}

TEST_CASE("the start block writes an IPv6 address so that it can be copied") {
    StartBlock block;
    block.address = "::1";
    block.port = 1;
    block.secure = true;
    CHECK(start_block_text(block).find("https://[::1]:1\n") != std::string::npos);
}

TEST_CASE(
    "the start block says what to do when no runtime was found, and nothing of a token that is not there") {
    const std::string text = start_block_text({});
    CHECK(text.find("install Python 3 or Node.js") != std::string::npos);
    CHECK(text.find("token") == std::string::npos);
}

TEST_CASE("management paths are the reserved ones and what is below them") {
    for (const char* path :
         {"/api", "/api/v1/x", "/healthz", "/readyz", "/metrics", "/openapi.json", "/schema/function.json"})
        CHECK(is_management_path(path));
    for (const char* path :
         {"/", "", "/apis", "/api-v1", "/healthz2", "/functions/api", "/workspaces/x", "/schemas", "/a"})
        CHECK_FALSE(is_management_path(path));
}
