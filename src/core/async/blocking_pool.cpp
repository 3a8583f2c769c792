// SPDX-License-Identifier: Apache-2.0
#include <hks/core/async/blocking_pool.hpp>

#include <utility>

namespace hks {

BlockingPool::BlockingPool(size_t threads, size_t queue_limit) : queue_limit_(queue_limit) {
    threads_.reserve(threads);
    for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

BlockingPool::~BlockingPool() {
    stop();
}

bool BlockingPool::submit(std::function<void()> task) {
    {
        std::lock_guard lock(mutex_);
        if (stopped_ || queue_.size() >= queue_limit_) return false;
        queue_.push_back(std::move(task));
    }
    wake_.notify_one();
    return true;
}

void BlockingPool::stop() {
    std::vector<std::thread> threads;
    std::deque<std::function<void()>> dropped;  // destroyed without the lock: their captures may run anything
    {
        std::lock_guard lock(mutex_);
        stopped_ = true;
        threads.swap(threads_);
        dropped.swap(queue_);
    }
    wake_.notify_all();
    dropped.clear();
    for (auto& thread : threads) thread.join();
}

void BlockingPool::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
        if (stopped_) return;
        auto task = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        task();
        task = nullptr;  // its captures die here, not under the lock
        lock.lock();
    }
}

}  // namespace hks
