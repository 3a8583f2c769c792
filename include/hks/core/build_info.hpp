// SPDX-License-Identifier: Apache-2.0
#pragma once
// What this binary is.

namespace hks {

/// "0.1.0"
constexpr const char* build_version() { return HKS_VERSION; }

}  // namespace hks
