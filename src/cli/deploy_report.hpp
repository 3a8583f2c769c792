// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a deploy says at its end, from the REST objects as they are then. Pure.

#include "api_client.hpp"

#include <string>

namespace hks::cli {

/// Which version is ready and which one is live; a sentence.
std::string deploy_outcome(const Json& function, int version, bool no_traffic, double seconds);

/// Who may call the function through its triggers ("items" of GET …/triggers), and how to change that; "" when the
/// server does not tell.
std::string who_may_call(const std::string& function, const Json& triggers);

}  // namespace hks::cli
