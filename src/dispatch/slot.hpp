// SPDX-License-Identifier: Apache-2.0
#pragma once
// One instance as its pool sees it: what was sent to it, in order, and since when the first of them runs.

#include "ticket.hpp"

#include <hks/runtime/instance.hpp>

namespace hks::dispatch {

class VersionPool;

enum class SlotState : uint8_t {
    starting,
    ready,
    condemned,  ///< a call timed out beside others: no new ones, killed when the others are done
    leaving,    ///< finishes what it has
    dying,      ///< killed
};

struct Slot {
    VersionPool* pool = nullptr;
    std::unique_ptr<runtime::Instance> instance;
    SlotState state = SlotState::starting;
    bool available = false;         ///< in the pool's stack of instances with a free place
    bool retire_when_idle = false;  ///< of a version that was replaced
    size_t capacity = 1;            ///< calls that run at a time
    size_t outstanding = 0;         ///< places taken, cancelled calls included
    size_t ended = 0;               ///< calls that had their answer but whose place has not been freed yet
    uint64_t answers = 0;
    Ticket* first = nullptr;
    Ticket* last = nullptr;
    SteadyTime start_began{};
    SteadyTime ready_at{};
    SteadyTime head_began{};  ///< capacity 1: when `first` began to run
    SteadyTime idle_since{};  ///< the last answer, or ready_at

    bool takes_calls() const { return state == SlotState::ready; }

    void append(Ticket& ticket) {
        ticket.slot = this;
        ticket.next = nullptr;
        ticket.previous = last;
        (last ? last->next : first) = &ticket;
        last = &ticket;
    }
    void remove(Ticket& ticket) {
        (ticket.previous ? ticket.previous->next : first) = ticket.next;
        (ticket.next ? ticket.next->previous : last) = ticket.previous;
    }
    size_t live_calls() const {
        size_t n = 0;
        for (const Ticket* t = first; t; t = t->next) n += t->call != nullptr;
        return n;
    }
};

}  // namespace hks::dispatch
