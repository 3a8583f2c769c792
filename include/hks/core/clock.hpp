// SPDX-License-Identifier: Apache-2.0
#pragma once
// Time enters every class by constructor, so that tests can move it. steady() measures; wall() is shown to people.
// Implementations are thread-safe.

#include <chrono>
#include <string>

namespace hks {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;
using std::chrono::milliseconds;

class Clock {
  public:
    virtual ~Clock() = default;
    virtual SteadyTime steady() const = 0;
    virtual WallTime wall() const = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
  public:
    SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
    WallTime wall() const override { return std::chrono::system_clock::now(); }
};

/// RFC 3339 in UTC with milliseconds: "2026-11-23T23:03:58.123Z".
std::string to_rfc3339(WallTime time);
/// Reads RFC 3339; false when the text is not a time.
bool from_rfc3339(const std::string& text, WallTime& out);

}  // namespace hks
