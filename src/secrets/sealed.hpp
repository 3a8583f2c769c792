// SPDX-License-Identifier: Apache-2.0
#pragma once
// AES-256-GCM with a fresh random nonce: nonce (12 bytes) + cipher text + tag (16 bytes) in one string. Pure.

#include <hks/core/error.hpp>

#include <openssl/crypto.h>

#include <string>
#include <string_view>

namespace hks::secrets {

inline constexpr size_t key_size = 32;

/// Bytes that are zeroed when they go: keys and clear text.
class Clear {
  public:
    Clear() = default;
    explicit Clear(std::string_view bytes) : bytes_(bytes) {}
    Clear(Clear&& other) noexcept : bytes_(other.bytes_) { other.wipe(); }
    Clear& operator=(Clear&& other) noexcept {
        wipe();
        bytes_ = other.bytes_;
        other.wipe();
        return *this;
    }
    Clear(const Clear&) = delete;
    Clear& operator=(const Clear&) = delete;
    ~Clear() { wipe(); }

    std::string_view view() const { return bytes_; }
    std::string& bytes() { return bytes_; }
    bool empty() const { return bytes_.empty(); }
    void wipe() {
        OPENSSL_cleanse(bytes_.data(), bytes_.size());
        bytes_.clear();
    }

  private:
    std::string bytes_;
};

Result<std::string> seal(std::string_view key, std::string_view clear, std::string_view associated);
/// Fails when the key, the associated data or a bit of `sealed` is not what it was.
Result<Clear> unseal(std::string_view key, std::string_view sealed, std::string_view associated);

}  // namespace hks::secrets
