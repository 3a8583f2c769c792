// SPDX-License-Identifier: Apache-2.0
#pragma once
// A value that changes, and those who want to know. Level-triggered: a subscriber that missed a step sees the newest
// value at the next one. set() and get() from any thread; subscribers are called on the thread that calls set(), so
// they post to their own loop. Subscriptions end with the Watch's own life; unsubscribe by token.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace hks {

template <class T>
class Watch {
  public:
    using Pointer = std::shared_ptr<const T>;

    explicit Watch(Pointer initial = std::make_shared<const T>()) : value_(std::move(initial)) {}

    Pointer get() const {
        std::lock_guard lock(mutex_);
        return value_;
    }

    void set(Pointer value) {
        std::map<uint64_t, std::function<void()>> subscribers;
        {
            std::lock_guard lock(mutex_);
            value_ = std::move(value);
            subscribers = subscribers_;
        }
        for (auto& [token, notify] : subscribers) notify();
    }

    uint64_t subscribe(std::function<void()> notify) {
        std::lock_guard lock(mutex_);
        subscribers_.emplace(++last_token_, std::move(notify));
        return last_token_;
    }

    void unsubscribe(uint64_t token) {
        std::lock_guard lock(mutex_);
        subscribers_.erase(token);
    }

  private:
    mutable std::mutex mutex_;
    Pointer value_;
    std::map<uint64_t, std::function<void()>> subscribers_;
    uint64_t last_token_ = 0;
};

}  // namespace hks
