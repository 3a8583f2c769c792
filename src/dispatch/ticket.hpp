// SPDX-License-Identifier: Apache-2.0
#pragma once
// What an Instance gets to see of a call. The caller's Call may be gone, or already be its next request, the
// moment it has been answered; a Ticket belongs to the dispatcher, which therefore always knows what an
// instance still holds. Recycled, never freed. A ticket without a call was cancelled: its slot is taken until
// the worker lets go of it.

#include <hks/core/call.hpp>

#include <deque>

namespace hks::dispatch {

struct Slot;

class Ticket final : public Call {
  public:
    void on_response(int status, std::string_view headers, std::string_view body, bool end) override;
    void on_chunk(std::string_view body, bool end) override;
    void on_failed(const CallFailure& failure) override;

    Slot* slot = nullptr;
    Call* call = nullptr;
    Ticket* next = nullptr;
    Ticket* previous = nullptr;
    SteadyTime last_activity{};  ///< of a streamed answer
    bool streaming = false;
    int status = 0;
};

class TicketStore {
  public:
    Ticket& acquire() {
        if (!free_) return tickets_.emplace_back();
        Ticket& ticket = *free_;
        free_ = ticket.next;
        return ticket;
    }
    void release(Ticket& ticket) {
        ticket.call = nullptr;
        ticket.slot = nullptr;
        ticket.next = free_;
        free_ = &ticket;
    }

  private:
    std::deque<Ticket> tickets_;
    Ticket* free_ = nullptr;
};

}  // namespace hks::dispatch
