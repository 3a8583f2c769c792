// SPDX-License-Identifier: Apache-2.0
#pragma once
// The two encodings of an event, with one face: JSON, and the codes of Python's marshal that every CPython 3
// reads. Both write through a Sink, a page on the stack in front of the output string, because a call
// consists of a hundred small pieces. Pure.

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

/// Copies and looks at the bytes in the same pass, eight at a time: most pieces of a call are shorter than a
/// call of memcpy() is worth. `special` says whether one of eight bytes needs care; it may also see bytes
/// twice, or spaces.
template <class Special>
inline bool copy_plain(char* to, const char* from, size_t n, Special special) {
    uint64_t found = 0;
    uint64_t eight;
    if (n >= 8) {
        size_t i = 0;
        for (; i + 8 <= n; i += 8) {
            std::memcpy(&eight, from + i, 8);
            std::memcpy(to + i, &eight, 8);
            found |= special(eight);
        }
        std::memcpy(&eight, from + n - 8, 8);
        std::memcpy(to + n - 8, &eight, 8);
        return (found | special(eight)) == 0;
    }
    if (n >= 4) {
        uint32_t low, high;
        std::memcpy(&low, from, 4);
        std::memcpy(&high, from + n - 4, 4);
        std::memcpy(to, &low, 4);
        std::memcpy(to + n - 4, &high, 4);
        return special(low | uint64_t{high} << 32) == 0;
    }
    eight = 0x2020202020202020ull;
    for (size_t i = 0; i < n; ++i) {
        to[i] = from[i];
        eight = eight << 8 | static_cast<unsigned char>(from[i]);
    }
    return special(eight) == 0;
}

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
        if (bytes.empty()) return;
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
    /// Puts prefix, value and suffix when nothing in the value is special and it is short enough for the
    /// page; otherwise nothing at all.
    template <size_t P, size_t S, class Special>
    bool try_put(std::array<char, P> prefix, std::string_view value, std::array<char, S> suffix,
                 Special special) {
        size_t const n = value.size();
        if (n > page_.size() - P - S) return false;
        if (room() < n + P + S) flush();
        if (!copy_plain(at_ + P, value.data(), n, special)) return false;
        std::memcpy(at_, prefix.data(), P);
        if constexpr (S > 0) std::memcpy(at_ + P + n, suffix.data(), S);
        at_ += n + P + S;
        return true;
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
    void begin_list(size_t count) {
        sink_.put('[');
        put_u32(static_cast<uint32_t>(count));
    }
    void end_list() {}
    void null() { sink_.put('N'); }
    void boolean(bool value) { sink_.put(value ? 'T' : 'F'); }
    void integer(int64_t value);
    void real(double value);

    /// `first`: of its map.
    void key(std::string_view name, bool, Fallback fallback) { text(name, fallback); }

    void text(std::string_view value, Fallback fallback) {
        if (value.size() < 256) {
            const auto high = [](uint64_t v) { return v & 0x8080808080808080ull; };
            std::array<char, 2> const code{'z', static_cast<char>(value.size())};
            if (sink_.try_put(code, value, std::array<char, 0>{}, high)) return;
        }
        long_text(value, fallback);
    }

  private:
    void long_text(std::string_view value, Fallback fallback);
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
    void begin_list(size_t) { sink_.put('['); }
    void end_list() { sink_.put(']'); }
    void null() { sink_.put("null"); }
    void integer(int64_t value) {
        char digits[24];
        auto const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
        sink_.put(std::string_view(digits, static_cast<size_t>(end - digits)));
    }

    void key(std::string_view name, bool first, Fallback fallback) {
        if (!first) sink_.put(',');
        text(name, fallback);
        sink_.put(':');
    }

    void text(std::string_view value, Fallback fallback) {
        if (!sink_.try_put(std::array{'"'}, value, std::array{'"'}, special)) escaped(value, fallback);
    }

  private:
    /// Not zero when one of the eight is a quote, a backslash, a control character or not ASCII.
    static uint64_t special(uint64_t v) {
        constexpr uint64_t ones = 0x0101010101010101ull;
        const auto has_zero = [](uint64_t x) { return (x - ones) & ~x; };
        return (v | (v - ones * 0x20) | has_zero(v ^ (ones * '"')) | has_zero(v ^ (ones * '\\'))) &
               0x8080808080808080ull;
    }
    void escaped(std::string_view value, Fallback fallback);

    Sink sink_;
};

}  // namespace hks::runtime
