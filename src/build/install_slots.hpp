// SPDX-License-Identifier: Apache-2.0
#pragma once
// How many builds may install dependencies at a time. Whoever installs nothing never waits here, so that a
// quick build is not held up by slow ones. Build threads.

#include "stop_signal.hpp"

#include <hks/core/clock.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace hks::build {

class InstallSlots {
  public:
    explicit InstallSlots(size_t count) : free_(count) {}

    /// Held until it goes; empty when the server stops.
    class Slot {
      public:
        explicit Slot(InstallSlots* owner = nullptr) : owner_(owner) {}
        ~Slot() {
            if (owner_) owner_->give_back();
        }
        Slot(Slot&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
        Slot& operator=(Slot&&) = delete;
        explicit operator bool() const { return owner_ != nullptr; }

      private:
        InstallSlots* owner_;
    };

    /// `must_wait` hears, once, how many are before it.
    template <class MustWait>
    Slot take(const StopSignal& stop, MustWait&& must_wait) {
        using namespace std::chrono_literals;
        std::unique_lock lock(mutex_);
        if (free_ == 0 || waiting_ > 0) must_wait(waiting_ + busy_);
        ++waiting_;
        // The signal wakes nobody here; a stop may take a moment longer.
        while (free_ == 0 && !stop.raised()) freed_.wait_for(lock, 100ms);
        --waiting_;
        if (stop.raised()) return Slot();
        --free_;
        ++busy_;
        return Slot(this);
    }

  private:
    void give_back() {
        {
            std::lock_guard lock(mutex_);
            ++free_;
            --busy_;
        }
        freed_.notify_one();
    }

    std::mutex mutex_;
    std::condition_variable freed_;
    size_t free_;
    size_t busy_ = 0;
    size_t waiting_ = 0;
};

}  // namespace hks::build
