// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sans-IO decoder of chunked bodies (RFC 9112 section 7.1): exact CR LF, hexadecimal sizes, extensions
// limited over the whole body, trailer fields checked, limited and dropped. Fed pieces of any size; one pass,
// cheap for tiny chunks.

#include "net/buffer.hpp"
#include "net/refusal.hpp"

#include <hks/net/http_server.hpp>

#include <cstdint>
#include <string_view>

namespace hks::net {

class ChunkDecoder {
  public:
    enum class Status { need_more, done, refused };

    explicit ChunkDecoder(const HttpLimits& limits) : limits_(limits) {}

    void reset(size_t body_limit);
    /// Appends decoded bytes to `body`; `consumed` is how many input bytes belonged to the message.
    Status feed(std::string_view input, Buffer& body, size_t& consumed);
    const Refusal& refusal() const { return refusal_; }

  private:
    enum class State : uint8_t {
        size,
        size_more,
        extension_start,
        extension,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_start,
        trailer_name,
        trailer_value,
        trailer_lf,
        end_lf,
        done,
        refused
    };

    void step(const char*& p, const char* end, Buffer& body);
    void take_size_digit(char c);
    void take_after_size(char c);
    void take_extension(const char*& p, const char* end);
    void take_data(const char*& p, const char* end, Buffer& body);
    void take_trailer(const char*& p, const char* end);
    void expect(char c, char wanted, State next);
    void refuse(int status, const char* message);

    const HttpLimits& limits_;
    Refusal refusal_;
    State state_ = State::size;
    uint64_t left_ = 0;  ///< of the current chunk
    unsigned digits_ = 0;
    size_t body_limit_ = 0;
    size_t extension_bytes_ = 0;
    size_t trailer_bytes_ = 0;
    size_t trailers_ = 0;
};

}  // namespace hks::net
