// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker_protocol.hpp"

#include <bit>
#include <cstdlib>
#include <new>

namespace hks::runtime {

static_assert(std::endian::native == std::endian::little,
              "headers are copied to and from the wire as they are");

namespace {

// An idle connection keeps at most this; one that has carried a large frame gives the rest back.
constexpr size_t kept_capacity = 1u << 20;
constexpr size_t first_capacity = 16 * 1024;

}  // namespace

FrameReader::~FrameReader() {
    std::free(data_);
}

char* FrameReader::prepare(size_t n) {
    size_t const waiting = end_ - begin_;
    size_t needed = n;
    if (waiting >= frame_header_bytes) {
        FrameHeader header;
        std::memcpy(&header, data_ + begin_, sizeof header);
        size_t const whole = frame_header_bytes + size_t{header.size};
        if (header.size <= max_frame_bytes && whole > waiting && whole - waiting > needed)
            needed = whole - waiting;
    }
    if (waiting == 0) {
        begin_ = end_ = 0;
        if (capacity_ > kept_capacity && needed <= kept_capacity) {
            std::free(data_);
            data_ = nullptr;
            capacity_ = 0;
        }
    }
    if (capacity_ - end_ >= needed) return data_ + end_;
    if (begin_ > 0) {
        std::memmove(data_, data_ + begin_, waiting);
        begin_ = 0;
        end_ = waiting;
        if (capacity_ - end_ >= needed) return data_ + end_;
    }
    // Doubling keeps the copying linear when many small reads build up one frame.
    size_t wanted = capacity_ == 0 ? first_capacity : capacity_;
    while (wanted < end_ + needed) wanted *= 2;
    if (needed > kept_capacity) wanted = end_ + needed;
    void* grown = std::realloc(data_, wanted);
    if (grown == nullptr) throw std::bad_alloc();
    data_ = static_cast<char*>(grown);
    capacity_ = wanted;
    return data_ + end_;
}

bool FrameReader::next(Frame& frame) {
    if (broken_) return false;
    size_t const waiting = end_ - begin_;
    if (waiting < frame_header_bytes) return false;
    char const* const start = data_ + begin_;
    std::memcpy(&frame.header, start, sizeof frame.header);
    FrameHeader const& header = frame.header;
    if (header.size > max_frame_bytes || header.meta > header.size) {
        broken_ = true;
        return false;
    }
    if (waiting - frame_header_bytes < header.size) return false;
    frame.meta = {start + frame_header_bytes, header.meta};
    frame.body = {start + frame_header_bytes + header.meta, size_t{header.size} - header.meta};
    begin_ += frame_header_bytes + header.size;
    return true;
}

void append_frame(std::string& out, FrameType type, uint8_t flags, uint16_t aux, uint32_t id,
                  std::string_view meta, std::string_view body) {
    FrameHeader header;
    header.size = static_cast<uint32_t>(meta.size() + body.size());
    header.meta = static_cast<uint32_t>(meta.size());
    header.id = id;
    header.type = static_cast<uint8_t>(type);
    header.flags = flags;
    header.aux = aux;
    char raw[frame_header_bytes];
    std::memcpy(raw, &header, sizeof raw);
    out.append(raw, sizeof raw);
    out.append(meta);
    out.append(body);
}

}  // namespace hks::runtime
