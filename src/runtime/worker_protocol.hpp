// SPDX-License-Identifier: Apache-2.0
#pragma once
// The frames between the server and a language worker (docs/adr/0002-worker-protocol.md). Sans-IO: FrameReader is fed
// bytes and gives frames, the append_… functions write frames into a buffer. No state besides the reader's own.

#include <hks/core/call.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace hks::runtime {

enum class FrameType : uint8_t {
    // server → worker
    load = 1,     ///< meta: JSON, see the ADR
    call = 2,     ///< meta: encoded event array; body: the request's raw body or its first part
    chunk = 3,    ///< both ways: a further part of a body
    cancel = 4,
    ping = 5,
    drain = 6,    ///< finish what was sent, then exit 0
    credit = 7,   ///< body: u32, so many more bytes of this streamed answer may be sent
    // worker → server
    hello = 16,   ///< meta: JSON {"language","version","encoding"}: ready for LOAD
    ready = 17,   ///< meta: JSON {"handler","kind","concurrent"}
    failed = 18,  ///< meta: JSON {"type","message","stack"}: the load failed; the worker exits
    result = 19,  ///< aux: status and time, see status_of(); meta: header lines "name: value\n"; body; END unless chunks follow
    error = 20,   ///< meta: JSON {"type","message","stack"}: the handler threw, the call is over
    log = 21,     ///< aux: level; flags: stream; body: text
    pong = 22,
    done = 23,    ///< a cancelled call has ended without an answer
};

inline constexpr uint8_t flag_end = 1;        ///< nothing more follows for this body
inline constexpr uint8_t flag_text = 2;       ///< CALL: the whole body is UTF-8
inline constexpr uint8_t flag_object = 4;     ///< CALL: the body may be a JSON object and is not too deep: lift it
inline constexpr uint8_t flag_http = 8;       ///< CALL: the event is an HTTP event
inline constexpr uint8_t flag_stdout = 1;     ///< LOG: from stdout
inline constexpr uint8_t flag_stderr = 2;     ///< LOG: from stderr (neither: logging, console)

inline constexpr size_t frame_header_bytes = 16;
inline constexpr size_t max_frame_bytes = 64u << 20;      ///< more is a broken worker
inline constexpr uint32_t initial_credit = 256 * 1024;    ///< of every streamed answer, bytes
inline constexpr size_t max_call_body_frame = 256 * 1024; ///< a longer request body continues in chunks

/// Little-endian on the wire: size, meta, id, type, flags, aux.
struct FrameHeader {
    uint32_t size = 0;   ///< bytes after the header: meta + body
    uint32_t meta = 0;   ///< of which meta
    uint32_t id = 0;     ///< call; 0 = the connection itself
    uint8_t type = 0;
    uint8_t flags = 0;
    uint16_t aux = 0;
};
static_assert(sizeof(FrameHeader) == frame_header_bytes);

struct Frame {
    FrameHeader header;
    std::string_view meta;
    std::string_view body;
    FrameType type() const { return static_cast<FrameType>(header.type); }
    bool end() const { return (header.flags & flag_end) != 0; }
};

/// Finds frames in a byte stream. Use: p = prepare(n); read k bytes to p; commit(k); while (next(f)) …
/// Views in a Frame live until the next prepare().
class FrameReader {
  public:
    /// Room for at least n more bytes; makes all of a large frame fit once its header has been seen.
    char* prepare(size_t n);
    size_t writable() const { return capacity_ - end_; }
    void commit(size_t n) { end_ += n; }
    /// True: a whole frame. False: more bytes are needed, or broken() (size over the limit, meta over size).
    bool next(Frame& frame);
    bool broken() const { return broken_; }
    ~FrameReader();
    FrameReader() = default;
    FrameReader(const FrameReader&) = delete;
    FrameReader& operator=(const FrameReader&) = delete;

  private:
    char* data_ = nullptr;
    size_t capacity_ = 0, begin_ = 0, end_ = 0;
    bool broken_ = false;
};

/// The status in the aux of a RESULT.
inline int status_of(uint16_t aux) {
    return aux & 1023;
}
/// How long the handler ran, from how many bits its microseconds have: the middle of that range; 0 = not told.
inline std::chrono::nanoseconds ran_of(uint16_t aux) {
    const int bits = aux >> 10;
    return std::chrono::nanoseconds(bits == 0 ? 0 : int64_t{750} << std::min(bits, 40));
}

void append_frame(std::string& out, FrameType type, uint8_t flags, uint16_t aux, uint32_t id, std::string_view meta,
                  std::string_view body);

enum class EventEncoding : uint8_t { json, marshal };  ///< marshal: Python's, version 2 subset

/// Appends a whole CALL (with its CHUNKs when the body is long) to `out`: the event is encoded straight from the
/// request's views, nothing is built in between.
void append_call(std::string& out, EventEncoding encoding, uint32_t id, const Call& call, uint32_t timeout_ms);

}  // namespace hks::runtime
