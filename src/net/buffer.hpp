// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bytes between a socket and a parser: a growing array with a read end and a write end. Uninitialised room,
// memory is given back by release(). One owner, loop thread.

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace hks::net {

class Buffer {
  public:
    Buffer() = default;
    ~Buffer() { std::free(data_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    char* data() { return data_ + begin_; }
    const char* data() const { return data_ + begin_; }
    size_t size() const { return end_ - begin_; }
    bool empty() const { return end_ == begin_; }
    size_t capacity() const { return capacity_; }
    std::string_view view() const { return {data(), size()}; }

    char* room() { return data_ + end_; }
    size_t room_size() const { return capacity_ - end_; }
    void commit(size_t n) { end_ += n; }

    void consume(size_t n) {
        begin_ += n;
        if (begin_ == end_) begin_ = end_ = 0;
    }
    void clear() { begin_ = end_ = 0; }

    /// Moves the content to the front; data() changes.
    void compact() {
        if (begin_ == 0) return;
        std::memmove(data_, data_ + begin_, size());
        end_ -= begin_;
        begin_ = 0;
    }
    /// At least `total` bytes of capacity; data() may change.
    void reserve(size_t total) {
        if (total <= capacity_) return;
        char* grown = static_cast<char*>(std::realloc(data_, total));
        if (grown == nullptr) throw std::bad_alloc();
        data_ = grown;
        capacity_ = total;
    }
    void append(std::string_view bytes) {
        if (bytes.empty()) return;
        if (bytes.size() > room_size()) {
            compact();
            if (bytes.size() > room_size()) reserve(grown_capacity(end_ + bytes.size()));
        }
        std::memcpy(room(), bytes.data(), bytes.size());
        end_ += bytes.size();
    }
    void swap(Buffer& other) {
        std::swap(data_, other.data_);
        std::swap(begin_, other.begin_);
        std::swap(end_, other.end_);
        std::swap(capacity_, other.capacity_);
    }
    void release() {
        std::free(std::exchange(data_, nullptr));
        begin_ = end_ = capacity_ = 0;
    }
    /// Empty, and the memory kept only when it is little.
    void reset(size_t keep_at_most) {
        if (capacity_ > keep_at_most)
            release();
        else
            clear();
    }

  private:
    size_t grown_capacity(size_t needed) const {
        size_t capacity = capacity_ < 512 ? 1024 : capacity_ * 2;
        while (capacity < needed) capacity *= 2;
        return capacity;
    }

    char* data_ = nullptr;
    size_t begin_ = 0, end_ = 0, capacity_ = 0;
};

}  // namespace hks::net
