// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker_protocol.hpp"

#include "fuzz/worker_protocol_fuzz.cpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

using namespace hks::runtime;

namespace {

void feed(FrameReader& reader, std::string_view bytes) {
    std::memcpy(reader.prepare(bytes.size()), bytes.data(), bytes.size());
    reader.commit(bytes.size());
}

std::string header(uint32_t size, uint32_t meta) {
    FrameHeader h;
    h.size = size;
    h.meta = meta;
    h.type = static_cast<uint8_t>(FrameType::result);
    return std::string(reinterpret_cast<const char*>(&h), sizeof h);
}

struct Seen {
    FrameHeader header;
    std::string meta, body;
};

std::vector<Seen> read_all(FrameReader& reader) {
    std::vector<Seen> frames;
    Frame frame;
    while (reader.next(frame))
        frames.push_back({frame.header, std::string(frame.meta), std::string(frame.body)});
    return frames;
}

}  // namespace

TEST_CASE("a frame comes back as it was written", "[worker_protocol]") {
    std::string wire;
    append_frame(wire, FrameType::log, flag_stderr, 3, 77, "meta", "a body");
    FrameReader reader;
    feed(reader, wire);
    auto const frames = read_all(reader);
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].header.type == 21);
    CHECK(frames[0].header.flags == flag_stderr);
    CHECK(frames[0].header.aux == 3);
    CHECK(frames[0].header.id == 77);
    CHECK(frames[0].meta == "meta");
    CHECK(frames[0].body == "a body");
}

TEST_CASE("the header is sixteen little-endian bytes", "[worker_protocol]") {
    std::string wire;
    append_frame(wire, FrameType::result, flag_end, 404, 0x01020304, "ab", "xyz");
    CHECK(wire == std::string("\x05\0\0\0\x02\0\0\0\x04\x03\x02\x01\x13\x01\x94\x01"
                              "abxyz",
                              21));
}

TEST_CASE("frames that arrive byte by byte are found", "[worker_protocol]") {
    std::string wire;
    for (uint32_t i = 1; i <= 50; ++i)
        append_frame(wire, FrameType::chunk, 0, 0, i, std::string(i, 'm'), std::string(i * 3, 'b'));
    FrameReader reader;
    std::vector<Seen> frames;
    for (char const c : wire) {
        feed(reader, {&c, 1});
        for (auto& frame : read_all(reader)) frames.push_back(std::move(frame));
    }
    REQUIRE(frames.size() == 50);
    for (uint32_t i = 1; i <= 50; ++i) {
        CHECK(frames[i - 1].header.id == i);
        CHECK(frames[i - 1].meta == std::string(i, 'm'));
        CHECK(frames[i - 1].body == std::string(i * 3, 'b'));
    }
}

TEST_CASE("an empty frame is a frame", "[worker_protocol]") {
    std::string wire;
    append_frame(wire, FrameType::ping, 0, 0, 0, {}, {});
    FrameReader reader;
    feed(reader, wire);
    auto const frames = read_all(reader);
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].header.size == 0);
}

TEST_CASE("a frame of the largest size is read in place", "[worker_protocol]") {
    FrameReader reader;
    feed(reader, header(max_frame_bytes, 1));
    Frame frame;
    CHECK_FALSE(reader.next(frame));
    char* const room = reader.prepare(1);
    REQUIRE(reader.writable() >= max_frame_bytes);
    std::memset(room, 'x', max_frame_bytes);
    reader.commit(max_frame_bytes);
    REQUIRE(reader.next(frame));
    CHECK(frame.meta == "x");
    CHECK(frame.body.size() == max_frame_bytes - 1);
}

TEST_CASE("memory of a large frame is given back", "[worker_protocol]") {
    FrameReader reader;
    feed(reader, header(8u << 20, 0));
    std::memset(reader.prepare(8u << 20), 'x', 8u << 20);
    reader.commit(8u << 20);
    CHECK(read_all(reader).size() == 1);
    reader.prepare(4096);
    CHECK(reader.writable() < 1u << 20);
}

TEST_CASE("a size over the limit breaks the reader for good", "[worker_protocol]") {
    FrameReader reader;
    feed(reader, header(max_frame_bytes + 1, 0));
    Frame frame;
    CHECK_FALSE(reader.next(frame));
    CHECK(reader.broken());
    std::string good;
    append_frame(good, FrameType::pong, 0, 0, 0, {}, {});
    feed(reader, good);
    CHECK_FALSE(reader.next(frame));
}

TEST_CASE("more meta than frame breaks the reader", "[worker_protocol]") {
    FrameReader reader;
    feed(reader, header(3, 4) + "abc");
    Frame frame;
    CHECK_FALSE(reader.next(frame));
    CHECK(reader.broken());
}

TEST_CASE("good frames before a broken one are still delivered", "[worker_protocol]") {
    std::string wire;
    append_frame(wire, FrameType::result, flag_end, 200, 1, "", "ok");
    FrameReader reader;
    feed(reader, wire + header(UINT32_MAX, 0));
    Frame frame;
    REQUIRE(reader.next(frame));
    CHECK_FALSE(reader.broken());
    CHECK_FALSE(reader.next(frame));
    CHECK(reader.broken());
}

TEST_CASE("a reader that nothing was given to has nothing", "[worker_protocol]") {
    FrameReader reader;
    Frame frame;
    CHECK_FALSE(reader.next(frame));
    CHECK_FALSE(reader.broken());
}

TEST_CASE("random bytes and random frames never confuse the reader", "[worker_protocol][fuzz]") {
    std::mt19937 random(20240501);
    auto const below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
    for (int round = 0; round < 3000; ++round) {
        std::string input(1, static_cast<char>(random()));
        uint32_t const parts = below(8);
        for (uint32_t i = 0; i < parts; ++i) {
            if (below(4) == 0) {
                for (uint32_t k = below(40); k > 0; --k) input += static_cast<char>(random());
            } else {
                append_frame(input, static_cast<FrameType>(below(30)), static_cast<uint8_t>(random()),
                             static_cast<uint16_t>(random()), below(100), std::string(below(300), 'm'),
                             std::string(below(3000), 'b'));
            }
            if (input.size() > 1 && below(6) == 0)
                input[1 + below(static_cast<uint32_t>(input.size() - 1))] ^= static_cast<char>(random());
        }
        LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
    }
    SUCCEED();
}
