// SPDX-License-Identifier: Apache-2.0
#pragma once
// A version that was built: everything that is needed to start it. Immutable; shared by pointer, any thread.

#include <hks/core/function.hpp>

#include <cstdint>
#include <string>

namespace hks {

struct Version {
    int64_t key = 0;          ///< unique over all functions and restarts
    int number = 0;           ///< 1, 2, 3 … within the function
    std::string function_id;
    std::string function;     ///< name
    std::string workspace;
    FunctionSpec spec;        ///< runtime and handler resolved by the build
    std::string digest;       ///< bundle
};

}  // namespace hks
