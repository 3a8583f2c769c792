// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the author of a function is told when its code could not be loaded. Pure.

#include <hks/core/error.hpp>
#include <hks/runtime/instance.hpp>

#include <string_view>

namespace hks::build {

/// BUILD_FAILED: the exception in its own words, then what to do about it.
Error load_error(std::string_view language, const runtime::ExitInfo& why);

}  // namespace hks::build
