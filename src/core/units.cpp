// SPDX-License-Identifier: Apache-2.0
#include <hks/core/units.hpp>

#include <array>
#include <limits>
#include <optional>
#include <span>

namespace hks {
namespace {

struct Unit {
    std::string_view name;
    uint64_t factor;
};

constexpr std::array byte_units{Unit{"Ti", 1ull << 40},
                                Unit{"Gi", 1ull << 30},
                                Unit{"Mi", 1ull << 20},
                                Unit{"Ki", 1ull << 10},
                                Unit{"T", 1'000'000'000'000ull},
                                Unit{"G", 1'000'000'000ull},
                                Unit{"M", 1'000'000ull},
                                Unit{"k", 1'000ull},
                                Unit{"K", 1'000ull},
                                Unit{"", 1}};
constexpr std::array time_units{Unit{"ms", 1}, Unit{"s", 1'000}, Unit{"m", 60'000}, Unit{"h", 3'600'000},
                                Unit{"d", 86'400'000}};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::optional<uint64_t> multiply(uint64_t a, uint64_t b) {
    uint64_t out = 0;
    return __builtin_mul_overflow(a, b, &out) ? std::nullopt : std::optional(out);
}

/// Digits at the front of `text`, taken off it; nullopt when there are none or they do not fit.
std::optional<uint64_t> take_digits(std::string_view& text) {
    uint64_t value = 0;
    size_t i = 0;
    for (; i < text.size() && is_digit(text[i]); ++i) {
        const auto digit = static_cast<uint64_t>(text[i] - '0');
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
            return std::nullopt;
    }
    if (i == 0) return std::nullopt;
    text.remove_prefix(i);
    return value;
}

/// A decimal number: `whole` + `part` / `scale`. At most six digits behind the point.
struct Number {
    uint64_t whole = 0;
    uint64_t part = 0;
    uint64_t scale = 1;

    /// The number times `factor`; nullopt when that is too big or not whole.
    std::optional<uint64_t> times(uint64_t factor) const {
        const auto a = multiply(whole, factor);
        const auto b = multiply(part, factor);
        uint64_t sum = 0;
        if (!a || !b || *b % scale != 0 || __builtin_add_overflow(*a, *b / scale, &sum)) return std::nullopt;
        return sum;
    }
};

std::optional<Number> take_number(std::string_view& text) {
    Number number;
    const auto whole = take_digits(text);
    if (!whole) return std::nullopt;
    number.whole = *whole;
    if (!text.starts_with('.')) return number;
    text.remove_prefix(1);
    const size_t before = text.size();
    const auto part = take_digits(text);
    if (!part || before - text.size() > 6) return std::nullopt;
    number.part = *part;
    for (size_t i = before - text.size(); i > 0; --i) number.scale *= 10;
    return number;
}

/// The unit at the front of `text`, up to the next digit, taken off it.
const Unit* take_unit(std::string_view& text, std::span<const Unit> units) {
    size_t length = 0;
    while (length < text.size() && !is_digit(text[length])) ++length;
    const auto name = text.substr(0, length);
    for (const auto& unit : units) {
        if (unit.name != name) continue;
        text.remove_prefix(length);
        return &unit;
    }
    return nullptr;
}

std::string quoted(std::string_view text) {
    return "\"" + std::string(text.substr(0, 40)) + "\"";
}

}  // namespace

Result<uint64_t> parse_bytes(std::string_view text) {
    std::string_view rest = text;
    if (const auto number = take_number(rest)) {
        const Unit* unit = take_unit(rest, byte_units);
        const auto bytes = unit && rest.empty() ? number->times(unit->factor) : std::nullopt;
        if (bytes) return *bytes;
    }
    return Error(Errc::validation_error, quoted(text) + " is not a size. Write it like 128Mi, 1Gi or 512M.");
}

std::string format_bytes(uint64_t bytes) {
    std::string best = std::to_string(bytes);
    if (bytes == 0) return best;
    for (const auto& unit : byte_units) {
        if (bytes % unit.factor != 0) continue;
        const auto text = std::to_string(bytes / unit.factor) + std::string(unit.name);
        if (text.size() < best.size()) best = text;
    }
    return best;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    const Error wrong(Errc::validation_error,
                      quoted(text) + " is not a duration. Write it like 30s, 500ms, 1h30m or 7d.");
    constexpr uint64_t longest = 100ull * 366 * 86'400'000;  // a century
    std::string_view rest = text;
    uint64_t total = 0;
    uint64_t previous = std::numeric_limits<uint64_t>::max();
    do {
        const auto number = take_number(rest);
        if (!number) return wrong;
        const bool bare = rest.empty() && total == 0 && previous == std::numeric_limits<uint64_t>::max();
        const Unit* unit = bare ? &time_units[1] : take_unit(rest, time_units);
        if (!unit || unit->factor >= previous) return wrong;  // "1h30m", not "30m1h" nor "1m1m"
        const auto part = number->times(unit->factor);
        if (!part || *part > longest || total + *part > longest) return wrong;
        total += *part;
        previous = unit->factor;
    } while (!rest.empty());
    return std::chrono::milliseconds(total);
}

std::string format_duration(std::chrono::milliseconds duration) {
    constexpr uint64_t second = 1'000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
    auto ms = static_cast<uint64_t>(duration.count() < 0 ? 0 : duration.count());
    if (ms % second != 0 && ms < minute) return std::to_string(ms) + "ms";
    if (ms % day == 0 && ms >= 2 * day) return std::to_string(ms / day) + "d";
    if (ms % second == 0 && ms < hour) return std::to_string(ms / second) + "s";
    std::string out;
    const auto append = [&](uint64_t unit, std::string_view name) {
        if (ms >= unit) out += std::to_string(ms / unit) + std::string(name);
        ms %= unit;
    };
    append(hour, "h");
    append(minute, "m");
    append(second, "s");
    append(1, "ms");
    return out;
}

Result<uint32_t> parse_cpu(std::string_view text) {
    std::string_view rest = text;
    if (const auto number = take_number(rest)) {
        const auto millis = rest.empty()  ? number->times(1000)
                            : rest == "m" ? number->times(1)
                                          : std::nullopt;
        if (millis && *millis <= std::numeric_limits<uint32_t>::max()) return static_cast<uint32_t>(*millis);
    }
    return Error(Errc::validation_error,
                 quoted(text) + " is not an amount of CPU. Write it like 100m, 0.5 or 2.");
}

std::string format_cpu(uint32_t millis) {
    return millis % 1000 == 0 ? std::to_string(millis / 1000) : std::to_string(millis) + "m";
}

}  // namespace hks
