// SPDX-License-Identifier: Apache-2.0
#pragma once
// Threads for what blocks: SQLite, builds, file trees. Bounded: submit() says no when the queue is full.
// Owned by Application; destroyed after everything that submits to it. stop() finishes what runs, drops what waits.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace hks {

class BlockingPool {
  public:
    BlockingPool(size_t threads, size_t queue_limit);
    ~BlockingPool();
    BlockingPool(const BlockingPool&) = delete;
    BlockingPool& operator=(const BlockingPool&) = delete;

    /// False when the queue is full or the pool has stopped. The task must not throw. Any thread.
    [[nodiscard]] bool submit(std::function<void()> task);
    void stop();

  private:
    void run();

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> queue_;
    size_t queue_limit_;
    bool stopped_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace hks
