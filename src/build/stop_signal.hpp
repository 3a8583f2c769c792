// SPDX-License-Identifier: Apache-2.0
#pragma once
// "End now", for threads that wait in poll() as well as for those that look from time to time. Raised once.

#include <atomic>
#include <cstdint>
#include <sys/eventfd.h>
#include <unistd.h>

namespace hks::build {

class StopSignal {
  public:
    StopSignal() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    ~StopSignal() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;

    void raise() {
        raised_ = true;
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = ::write(descriptor_, &one, sizeof one);
    }
    bool raised() const { return raised_; }
    int descriptor() const { return descriptor_; }  ///< readable once raised

  private:
    std::atomic<bool> raised_{false};
    int descriptor_;
};

}  // namespace hks::build
