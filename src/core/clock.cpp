// SPDX-License-Identifier: Apache-2.0
#include <hks/core/clock.hpp>

#include <cstdio>

namespace hks {
namespace {

/// Reads exactly `digits` digits at `i` and moves on; -1 when they are not there.
int take_number(const std::string& text, size_t& i, size_t digits) {
    if (text.size() < i + digits) return -1;
    int value = 0;
    for (const size_t end = i + digits; i < end; ++i) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

bool take(const std::string& text, size_t& i, char c) {
    if (i >= text.size() || text[i] != c) return false;
    ++i;
    return true;
}

/// ".123" as nanoseconds; further digits are read and dropped. -1 when there is a dot without digits.
int64_t take_fraction(const std::string& text, size_t& i) {
    if (!take(text, i, '.')) return 0;
    const size_t begin = i;
    int64_t value = 0;
    int64_t unit = 100'000'000;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i, unit /= 10)
        value += (text[i] - '0') * unit;
    return i == begin ? -1 : value;
}

/// "Z", "+01:00"; false when it is neither.
bool take_offset(const std::string& text, size_t& i, std::chrono::minutes& out) {
    if (take(text, i, 'Z') || take(text, i, 'z')) return true;
    if (i >= text.size() || (text[i] != '+' && text[i] != '-')) return false;
    const int sign = text[i++] == '-' ? -1 : 1;
    const int hours = take_number(text, i, 2);
    if (hours < 0 || hours > 23 || !take(text, i, ':')) return false;
    const int minutes = take_number(text, i, 2);
    if (minutes < 0 || minutes > 59) return false;
    out = std::chrono::minutes(sign * (hours * 60 + minutes));
    return true;
}

}  // namespace

std::string to_rfc3339(WallTime time) {
    namespace c = std::chrono;
    const auto ms = c::floor<c::milliseconds>(time);
    const auto day = c::floor<c::days>(ms);
    const c::year_month_day date{day};
    const c::hh_mm_ss clock{ms - day};
    char text[64];
    const int n = std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return {text, static_cast<size_t>(n)};
}

bool from_rfc3339(const std::string& text, WallTime& out) {
    namespace c = std::chrono;
    size_t i = 0;
    const int year = take_number(text, i, 4);
    if (year < 0 || !take(text, i, '-')) return false;
    const int month = take_number(text, i, 2);
    if (month < 0 || !take(text, i, '-')) return false;
    const int day = take_number(text, i, 2);
    if (day < 0 || !(take(text, i, 'T') || take(text, i, 't') || take(text, i, ' '))) return false;
    const int hour = take_number(text, i, 2);
    if (hour < 0 || hour > 23 || !take(text, i, ':')) return false;
    const int minute = take_number(text, i, 2);
    if (minute < 0 || minute > 59 || !take(text, i, ':')) return false;
    const int second = take_number(text, i, 2);
    if (second < 0 || second > 60) return false;  // 60: a leap second
    const int64_t fraction = take_fraction(text, i);
    c::minutes offset{0};
    if (fraction < 0 || !take_offset(text, i, offset) || i != text.size()) return false;

    const c::year_month_day date{c::year(year), c::month(static_cast<unsigned>(month)),
                                 c::day(static_cast<unsigned>(day))};
    // Nanoseconds in 64 bits reach from 1677 to 2262.
    if (!date.ok() || year < 1678 || year > 2261) return false;
    out = WallTime(c::sys_days(date)) + c::hours(hour) + c::minutes(minute) + c::seconds(second) +
          c::nanoseconds(fraction) - offset;
    return true;
}

}  // namespace hks
