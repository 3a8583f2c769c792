// SPDX-License-Identifier: Apache-2.0
#pragma once
// A clock that moves when told to. Any thread.

#include <hks/core/clock.hpp>

#include <atomic>

namespace hks::test {

class ManualClock final : public Clock {
  public:
    SteadyTime steady() const override { return SteadyTime(std::chrono::microseconds(steady_.load())); }
    WallTime wall() const override { return WallTime(std::chrono::microseconds(wall_.load())); }
    void advance(std::chrono::microseconds by) {
        steady_ += by.count();
        wall_ += by.count();
    }

  private:
    std::atomic<int64_t> steady_{1'000'000};
    std::atomic<int64_t> wall_{1'790'000'000'000'000};
};

}  // namespace hks::test
