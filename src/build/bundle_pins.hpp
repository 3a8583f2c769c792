// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bundles that running builds are about to name in a version: a sweep leaves them alone. Any thread.

#include <mutex>
#include <set>
#include <string>

namespace hks::build {

class BundlePins {
  public:
    /// `present` is asked under the lock, so that no sweep comes between the answer and the pin.
    template <class Present>
    bool pin_if(const std::string& digest, Present&& present) {
        std::lock_guard lock(mutex_);
        if (!present()) return false;
        pins_.insert(digest);
        return true;
    }
    void pin(const std::string& digest) {
        pin_if(digest, [] { return true; });
    }
    void unpin(const std::string& digest) {
        std::lock_guard lock(mutex_);
        if (auto found = pins_.find(digest); found != pins_.end()) pins_.erase(found);
    }
    /// Runs `sweep(pins)` while nothing can be pinned or let go.
    template <class Sweep>
    auto exclusively(Sweep&& sweep) {
        std::lock_guard lock(mutex_);
        return sweep(static_cast<const std::multiset<std::string>&>(pins_));
    }

  private:
    std::mutex mutex_;
    std::multiset<std::string> pins_;
};

}  // namespace hks::build
