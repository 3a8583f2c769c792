// SPDX-License-Identifier: Apache-2.0
#pragma once
// All time limits of a server with one timer. A kind of limit has one duration, so its list is in the order
// of its deadlines and starting a watch is a push at the end. The timer runs only while something is watched,
// for the nearest deadline, rounded up to a quarter of a second. Loop thread.

#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>

namespace hks::net {

enum class Watch : uint8_t { none, head, idle, body, write, linger, stop };
inline constexpr size_t watch_kinds = 7;

/// A member of at most one list.
struct WatchHook {
    WatchHook* next = nullptr;
    WatchHook* previous = nullptr;
    int64_t deadline_ms = 0;
    Watch kind = Watch::none;

  protected:
    ~WatchHook() = default;
};

class Deadlines {
  public:
    /// `on_expired` is told the hook (already taken out) and its kind.
    Deadlines(boost::asio::io_context& loop, std::function<void(WatchHook&, Watch)> on_expired);
    Deadlines(const Deadlines&) = delete;
    Deadlines& operator=(const Deadlines&) = delete;

    void set_duration(Watch kind, std::chrono::milliseconds duration);
    /// Starts or restarts; Watch::none ends.
    void watch(WatchHook& hook, Watch kind);
    void stop();

    /// Monotonic milliseconds, as coarse as the kernel's tick.
    static int64_t now_ms();

  private:
    struct List : WatchHook {
        List() { next = previous = this; }
    };
    void arm(int64_t deadline_ms);
    void on_timer();

    boost::asio::steady_timer timer_;
    std::function<void(WatchHook&, Watch)> on_expired_;
    std::array<List, watch_kinds> lists_;
    std::array<int64_t, watch_kinds> durations_{};
    int64_t armed_for_ = 0;  ///< 0 = not armed
    bool stopped_ = false;
};

}  // namespace hks::net
