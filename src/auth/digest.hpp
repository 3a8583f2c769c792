// SPDX-License-Identifier: Apache-2.0
#pragma once
// SHA-256 as raw bytes. Pure.

#include <array>
#include <string_view>

namespace hks::auth {

using Digest = std::array<unsigned char, 32>;

Digest sha256(std::string_view bytes);

inline std::string_view view(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace hks::auth
