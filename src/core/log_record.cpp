// SPDX-License-Identifier: Apache-2.0
#include <hks/core/log_record.hpp>

#include <array>

namespace hks {
namespace {

constexpr std::array<std::string_view, 4> names{"debug", "info", "warn", "error"};

}  // namespace

std::string_view level_name(LogLevel level) {
    const auto i = static_cast<size_t>(level);
    return i < names.size() ? names[i] : "info";
}

bool level_from_name(std::string_view name, LogLevel& out) {
    for (size_t i = 0; i < names.size(); ++i) {
        if (names[i] != name) continue;
        out = static_cast<LogLevel>(i);
        return true;
    }
    return false;
}

}  // namespace hks
