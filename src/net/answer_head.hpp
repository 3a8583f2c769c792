// SPDX-License-Identifier: Apache-2.0
#pragma once
// The parts of an answer's head that the edge itself writes.

#include "net/buffer.hpp"

#include <array>
#include <cstdint>
#include <ctime>
#include <string_view>

namespace hks::net {

/// "HTTP/1.1 200 OK\r\n" into `out`.
void append_status_line(Buffer& out, int status);
/// "Content-Length: 5\r\n".
void append_content_length(Buffer& out, uint64_t length);
/// "1f4\r\n", the head of a chunk.
void append_chunk_size(Buffer& out, size_t size);
/// Whether an answer with this status has a body at all (RFC 9110 section 6.4.1).
inline bool status_has_body(int status) {
    return status >= 200 && status != 204 && status != 304;
}

/// "Date: …\r\n", made anew once a second.
class DateLine {
  public:
    std::string_view text();

  private:
    time_t second_ = -1;
    std::array<char, 40> line_{};
    size_t size_ = 0;
};

}  // namespace hks::net
