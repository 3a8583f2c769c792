// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether the files that the configuration names can be used, asked before anything is made. Reads them and
// writes nothing.

#include "config.hpp"

#include <vector>

namespace hks::app {

/// One finding for every key whose file cannot be used.
std::vector<FieldError> check_files(const ServerConfig& config);

}  // namespace hks::app
