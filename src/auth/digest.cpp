// SPDX-License-Identifier: Apache-2.0
#include "digest.hpp"

#include <openssl/sha.h>

namespace hks::auth {

Digest sha256(std::string_view bytes) {
    Digest digest;
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    return digest;
}

}  // namespace hks::auth
