// SPDX-License-Identifier: Apache-2.0
#pragma once
// First in, first out, through the Call's own links: nothing is allocated, and a call in the middle leaves in
// O(1).

#include <hks/core/call.hpp>

#include <cstddef>

namespace hks::dispatch {

/// Where a call is. Kept in Call::dispatch.state; only VersionPool changes it.
enum class CallState : uint8_t {
    outside,   ///< not (or no longer) with the dispatcher
    waiting,   ///< in the queue
    returned,  ///< in the queue again: it had been sent ahead to an instance that is gone
    sent,      ///< with an instance, behind a Ticket
    failing,   ///< about to hear on_failed()
};

class CallQueue {
  public:
    bool empty() const { return first_ == nullptr; }
    size_t size() const { return size_; }
    Call* front() const { return first_; }

    void push_back(Call& call) {
        call.dispatch.next = nullptr;
        call.dispatch.previous = last_;
        (last_ ? last_->dispatch.next : first_) = &call;
        last_ = &call;
        ++size_;
    }

    void remove(Call& call) {
        (call.dispatch.previous ? call.dispatch.previous->dispatch.next : first_) = call.dispatch.next;
        (call.dispatch.next ? call.dispatch.next->dispatch.previous : last_) = call.dispatch.previous;
        call.dispatch.next = call.dispatch.previous = nullptr;
        --size_;
    }

    Call& pop_front() {
        Call& call = *first_;
        remove(call);
        return call;
    }

  private:
    Call* first_ = nullptr;
    Call* last_ = nullptr;
    size_t size_ = 0;
};

}  // namespace hks::dispatch
