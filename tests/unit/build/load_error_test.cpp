// SPDX-License-Identifier: Apache-2.0
#include "build/load_error.hpp"

#include <catch2/catch.hpp>

using namespace hks;
using build::load_error;

namespace {

runtime::ExitInfo thrown(const std::string& type, const std::string& message) {
    runtime::ExitInfo why;
    why.type = type;
    why.message = message;
    return why;
}

}  // namespace

TEST_CASE("a missing module says where to list it") {
    CHECK(load_error("python", thrown("ModuleNotFoundError", "No module named 'nosuch'")).message ==
          "ModuleNotFoundError: No module named 'nosuch'. Add its package to requirements.txt and deploy "
          "again.");
    const std::string node =
        load_error("node", thrown("Error", "Cannot find module 'nosuch'\nRequire stack:\n- /code/index.js"))
            .message;
    CHECK(node ==
          "Error: Cannot find module 'nosuch'. Add it to the dependencies in package.json and deploy again.");
}

TEST_CASE("a missing file of one's own is no missing dependency") {
    CHECK(
        load_error("node", thrown("Error", "Cannot find module './lib'")).message.find("function's folder") !=
        std::string::npos);
}

TEST_CASE("a process that ended without a word is told as what it did") {
    runtime::ExitInfo why;
    why.reason = "exited with code 3";
    CHECK(load_error("python", why).message.find("exited with code 3") != std::string::npos);
    CHECK(load_error("python", why).code == Errc::build_failed);
}

TEST_CASE("too much memory names the setting to raise") {
    runtime::ExitInfo why;
    why.reason = "used more than 128Mi";
    why.out_of_memory = true;
    CHECK(load_error("python", why).message.find("resources.memory") != std::string::npos);
}

TEST_CASE("an exception without a message is shown by its type") {
    CHECK(load_error("python", thrown("KeyError", "")).message.starts_with("KeyError."));
}
