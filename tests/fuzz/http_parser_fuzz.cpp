// SPDX-License-Identifier: Apache-2.0
// Feeds arbitrary streams to the request parser and the chunk decoder: no crash, and the same verdict however
// the bytes are split. With libFuzzer: clang++ -fsanitize=fuzzer,address. Without (-DHKS_FUZZ=ON defines
// HKS_FUZZ_MAIN):
//   http_parser_fuzz FILE…          runs the files
//   http_parser_fuzz --mutate N     N random mutations and splices of the messages that the unit tests know
#include "unit/net/message_judge.hpp"
#include "unit/net/refused_messages.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace hks::net;
using namespace hks::net::test;

void require(bool condition, const char* what, std::string_view input) {
    if (condition) return;
    std::fprintf(stderr, "%s; input:\n", what);
    std::fwrite(input.data(), 1, input.size(), stderr);
    std::abort();
}

/// Small limits are reached by small inputs.
HttpLimits small_limits() {
    HttpLimits limits;
    limits.request_line = 256;
    limits.header_bytes = 512;
    limits.header_count = 8;
    limits.chunk_extension_bytes = 16;
    limits.body_bytes = 64;
    return limits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    for (const HttpLimits& limits : {HttpLimits{}, small_limits()}) {
        const Verdict whole = judge_whole(input, limits);
        if (size <= 4096) require(judge_bytewise(input, limits) == whole, "byte by byte differs", input);
        // Where to split is taken from the input, so that a finding can be repeated.
        size_t seed = size;
        for (int i = 0; i < 8 && size > 1; ++i) {
            seed = seed * 31 + data[(seed * 7) % size];
            require(judge_split(input, seed % size, limits) == whole, "split in two differs", input);
        }
        for (const Message& message : whole.messages) {
            require(message.path == "*" || message.path.front() == '/', "path without a root", input);
            require(message.path.find("//") == std::string::npos, "path with an empty segment", input);
            require(message.path.find("/../") == std::string::npos && !message.path.ends_with("/.."),
                    "path climbs", input);
            for (const auto& [name, value] : message.headers) {
                require(name.find_first_of("_ :\r\n") == std::string::npos, "header name", input);
                require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                        "header value", input);
            }
        }
    }
    return 0;
}

#ifdef HKS_FUZZ_MAIN

#include <fstream>
#include <iterator>
#include <random>

namespace {

std::vector<std::string> corpus() {
    std::vector<std::string> all{get("A: b"), post("Content-Length: 5", "hello"), target("/a%20b/../c?d=e"),
                                 chunked("5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n"),
                                 get("Connection: x, close\r\nX: y")};
    for (auto table : {refused_request_lines, refused_targets, refused_hosts, refused_fields, refused_framing,
                       refused_chunks})
        for (const RefusedMessage& message : table())
            if (message.bytes.size() < 1000) all.push_back(message.bytes);
    return all;
}

std::string mutate(std::string text, const std::vector<std::string>& seeds, std::mt19937& random) {
    static constexpr char bytes[] = "\r\n\r\n :;,%/.\t\0\x7f\xff#\\0123456789abcdefCTH";
    static constexpr std::string_view spice(bytes, sizeof bytes - 1);
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < changes; ++i) {
        const size_t at = random() % (text.size() + 1);
        switch (random() % 5) {
            case 0:
                text.insert(at, 1, spice[random() % spice.size()]);
                break;
            case 1:
                if (at < text.size()) text[at] = spice[random() % spice.size()];
                break;
            case 2:
                text.erase(at, 1 + random() % 4);
                break;
            case 3:
                text += seeds[random() % seeds.size()];
                break;
            default: {
                const std::string& other = seeds[random() % seeds.size()];
                text.insert(at, other.substr(random() % other.size(), random() % 30));
            }
        }
    }
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view(argv[1]) == "--mutate") {
        const std::vector<std::string> seeds = corpus();
        std::mt19937 random(static_cast<unsigned>(std::random_device{}()));
        const long runs = std::atol(argv[2]);
        for (long i = 0; i < runs; ++i) {
            const std::string text = mutate(seeds[random() % seeds.size()], seeds, random);
            LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
        }
        std::printf("%ld inputs, no finding\n", runs);
        return 0;
    }
    for (int i = 1; i < argc; ++i) {
        std::ifstream file(argv[i], std::ios::binary);
        const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
    }
    return 0;
}

#endif
