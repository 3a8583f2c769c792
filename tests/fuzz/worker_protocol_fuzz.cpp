// SPDX-License-Identifier: Apache-2.0
// Bytes of a hostile worker through FrameReader, in pieces whose sizes the input chooses. With a fuzzing
// driver this is the usual entry point; the unit test runs it over a seeded stream of random inputs.

#include "runtime/worker_protocol.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace hks::runtime;
    if (size < 1) return 0;
    size_t const step = size_t{data[0]} + 1;
    ++data;
    --size;
    FrameReader reader;
    Frame frame;
    size_t given = 0;
    size_t taken = 0;
    unsigned sum = 0;
    while (given < size && !reader.broken()) {
        size_t const part = step < size - given ? step : size - given;
        char* const room = reader.prepare(part);
        require(reader.writable() >= part);
        std::memcpy(room, data + given, part);
        reader.commit(part);
        given += part;
        while (reader.next(frame)) {
            require(frame.header.meta <= frame.header.size && frame.header.size <= max_frame_bytes);
            require(frame.meta.size() + frame.body.size() == frame.header.size);
            require(std::memcmp(data + taken, &frame.header, frame_header_bytes) == 0);
            require(frame.meta.empty() || std::memcmp(data + taken + frame_header_bytes, frame.meta.data(),
                                                      frame.meta.size()) == 0);
            for (char const c : frame.body) sum += static_cast<unsigned char>(c);
            taken += frame_header_bytes + frame.header.size;
            require(taken <= given);
        }
    }
    require(!reader.next(frame));
    return sum == 0xffffffffu ? 1 : 0;
}
