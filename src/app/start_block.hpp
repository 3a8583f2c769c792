// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a server says when it is up. Never a token. Pure.

#include <hks/runtime/runtime_table.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace hks::app {

struct StartBlock {
    std::string address;
    uint16_t port = 0;
    bool secure = false;
    std::string data_dir;
    std::string backend;
    std::string capabilities;  ///< JSON text of the backend
    std::vector<runtime::Interpreter> runtimes;
    bool has_token_file = false;
};

/// Several lines, each ending in a line break.
std::string start_block_text(const StartBlock& block);

}  // namespace hks::app
