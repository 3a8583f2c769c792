// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one table of management routes. A new endpoint is a handler, a row here and a test.

#include "route.hpp"

#include <span>

namespace hks::api {

std::span<const Route> routes();

}  // namespace hks::api
