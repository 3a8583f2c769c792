// SPDX-License-Identifier: Apache-2.0
#pragma once
// Identifiers. Any thread.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace hks {

/// An invocation's id: 32 lower-case hex digits. The first 16 are a key that grows with time (so rows can be
/// found and kept in order by one integer), the last 16 are random, so that no one can guess a neighbour's id.
class InvocationId {
  public:
    InvocationId() = default;
    static InvocationId generate();
    /// False unless `text` is 32 lower-case hex digits.
    static bool parse(std::string_view text, InvocationId& out);

    std::string_view text() const { return {text_.data(), text_.size()}; }
    /// Microseconds since 1970, moved forward where needed to be unique within the process and ever growing.
    uint64_t key() const { return key_; }

  private:
    std::array<char, 32> text_{};
    uint64_t key_ = 0;
};

/// prefix + 26 characters of Crockford base32 over 128 random bits: "fn_01h…", "tok_…", "trg_…".
std::string make_id(std::string_view prefix);

/// n random bytes from the kernel. Never fails: ends the process when the kernel has none to give.
void random_bytes(void* out, size_t n);

/// [a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?
bool is_valid_name(std::string_view name);

}  // namespace hks
