// SPDX-License-Identifier: Apache-2.0
#pragma once
// The two encodings of an event, with one face: JSON, and the codes of Python's marshal that every CPython 3 reads.
// Both write through a Sink, a page on the stack in front of the output string, because a call consists of a hundred
// small pieces. Pure.

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace hks::runtime {

/// What bytes that are not UTF-8 mean.
enum class Fallback : uint8_t { latin1, replace };

/// Well-formed UTF-8 for any bytes.
std::string to_utf8(std::string_view bytes, Fallback fallback);

class Sink {
  public:
    explicit Sink(std::string& out) : out_(out) {}
    ~Sink() { flush(); }
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;

    void put(char c) {
        if (at_ == page_.data() + page_.size()) flush();
        *at_++ = c;
    }
    void put(std::string_view bytes) {
        if (room() < bytes.size()) {
            flush();
            if (bytes.size() > page_.size()) {
                out_.append(bytes);
                return;
            }
        }
        std::memcpy(at_, bytes.data(), bytes.size());
        at_ += bytes.size();
    }
    template <size_t N>
    void put_literal(const std::array<char, N>& bytes) {
        if (room() < N) flush();
        std::memcpy(at_, bytes.data(), N);
        at_ += N;
    }
    void flush() {
        out_.append(page_.data(), static_cast<size_t>(at_ - page_.data()));
        at_ = page_.data();
    }

  private:
    size_t room() const { return static_cast<size_t>(page_.data() + page_.size() - at_); }

    std::string& out_;
    std::array<char, 4096> page_;
    char* at_ = page_.data();
};

/// A string as a template argument.
template <size_t N>
struct Name {
    char text[N];
    consteval Name(const char (&literal)[N]) {
        for (size_t i = 0; i < N; ++i) text[i] = literal[i];
    }
    static constexpr size_t size = N - 1;
};

inline bool is_ascii(std::string_view bytes) {
    const char* p = bytes.data();
    size_t n = bytes.size();
    uint64_t seen = 0;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t eight;
        std::memcpy(&eight, p, 8);
        seen |= eight;
    }
    for (; n > 0; --n, ++p) seen |= static_cast<unsigned char>(*p);
    return (seen & 0x8080808080808080ull) == 0;
}

class MarshalWriter {
  public:
    explicit MarshalWriter(std::string& out) : sink_(out) {}
    Sink& sink() { return sink_; }

    void begin_array(uint8_t count) {
        sink_.put(')');
        sink_.put(static_cast<char>(count));
    }
    void end_array() {}
    void separator() {}
    void begin_map() { sink_.put('{'); }
    void end_map() { sink_.put('0'); }
    void empty_map() { sink_.put("{0"); }
    void begin_list(size_t count) {
        sink_.put('[');
        put_u32(static_cast<uint32_t>(count));
    }
    void end_list() {}
    void null() { sink_.put('N'); }
    void boolean(bool value) { sink_.put(value ? 'T' : 'F'); }
    void integer(int64_t value);
    void real(double value);

    /// A member's name that is known now; `first`: of its map.
    template <Name N, bool first = false>
    void key() {
        static_assert(N.size < 256);
        static constexpr auto bytes = [] {
            std::array<char, N.size + 2> code{};
            code[0] = 'z';
            code[1] = static_cast<char>(N.size);
            for (size_t i = 0; i < N.size; ++i) code[i + 2] = N.text[i];
            return code;
        }();
        sink_.put_literal(bytes);
    }
    void key(std::string_view name, bool, Fallback fallback) { text(name, fallback); }

    void text(std::string_view value, Fallback fallback) {
        if (!is_ascii(value)) return wide_text(value, fallback);
        if (value.size() < 256) {
            sink_.put('z');
            sink_.put(static_cast<char>(value.size()));
        } else {
            sink_.put('a');
            put_u32(static_cast<uint32_t>(value.size()));
        }
        sink_.put(value);
    }

  private:
    void wide_text(std::string_view value, Fallback fallback);
    void put_u32(uint32_t value) {
        char raw[4];
        std::memcpy(raw, &value, sizeof raw);
        sink_.put(std::string_view(raw, sizeof raw));
    }

    Sink sink_;
};

class JsonWriter {
  public:
    explicit JsonWriter(std::string& out) : sink_(out) {}
    Sink& sink() { return sink_; }

    void begin_array(uint8_t) { sink_.put('['); }
    void end_array() { sink_.put(']'); }
    void separator() { sink_.put(','); }
    void begin_map() { sink_.put('{'); }
    void end_map() { sink_.put('}'); }
    void empty_map() { sink_.put("{}"); }
    void begin_list(size_t) { sink_.put('['); }
    void end_list() { sink_.put(']'); }
    void null() { sink_.put("null"); }
    void integer(int64_t value) {
        char digits[24];
        auto const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
        sink_.put(std::string_view(digits, static_cast<size_t>(end - digits)));
    }

    template <Name N, bool first = false>
    void key() {
        static constexpr auto bytes = [] {
            std::array<char, N.size + (first ? 3 : 4)> code{};
            size_t at = 0;
            if (!first) code[at++] = ',';
            code[at++] = '"';
            for (size_t i = 0; i < N.size; ++i) code[at++] = N.text[i];
            code[at++] = '"';
            code[at] = ':';
            return code;
        }();
        sink_.put_literal(bytes);
    }
    void key(std::string_view name, bool first, Fallback fallback) {
        if (!first) sink_.put(',');
        text(name, fallback);
        sink_.put(':');
    }

    void text(std::string_view value, Fallback fallback) {
        sink_.put('"');
        if (is_plain(value)) {
            sink_.put(value);
        } else {
            escaped(value, fallback);
        }
        sink_.put('"');
    }

  private:
    /// ASCII without quotes, backslashes and control characters, eight bytes at a time.
    static bool is_plain(std::string_view value);
    void escaped(std::string_view value, Fallback fallback);

    Sink sink_;
};

inline bool JsonWriter::is_plain(std::string_view value) {
    constexpr uint64_t ones = 0x0101010101010101ull;
    constexpr uint64_t tops = 0x8080808080808080ull;
    const auto special = [](uint64_t v) {
        const auto has_zero = [](uint64_t x) { return (x - ones) & ~x; };
        return (v | (v - ones * 0x20) | has_zero(v ^ (ones * '"')) | has_zero(v ^ (ones * '\\'))) & tops;
    };
    const char* p = value.data();
    size_t n = value.size();
    uint64_t found = 0;
    uint64_t eight;
    for (; n >= 8; n -= 8, p += 8) {
        std::memcpy(&eight, p, 8);
        found |= special(eight);
    }
    if (n > 0) {
        eight = ones * ' ';
        std::memcpy(&eight, p, n);
        found |= special(eight);
    }
    return found == 0;
}

}  // namespace hks::runtime
