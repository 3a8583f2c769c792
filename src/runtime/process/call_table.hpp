// SPDX-License-Identifier: Apache-2.0
#pragma once
// The calls that an instance has been sent, by wire id. Ids grow by one, so an open-addressed table indexed
// by the low bits hardly ever probes, and one endless stream among millions of short calls costs one slot,
// not millions. References live until the next insert() or erase().

#include <hks/core/call.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hks::runtime {

struct SentCall {
    uint32_t id = 0;          ///< 0 = free slot
    bool streaming = false;   ///< its RESULT has come, chunks follow
    uint32_t owed = 0;        ///< credit not given back yet, bytes
    uint64_t ahead = 0;       ///< streamed bytes that its client has not taken
    Call* call = nullptr;     ///< null: cancelled, the worker has not let go yet
    InvocationId invocation;  ///< outlives the call, for log lines
};

class CallTable {
  public:
    CallTable() : slots_(16) {}

    size_t size() const { return size_; }

    SentCall& insert(uint32_t id) {
        if ((size_ + 1) * 2 > slots_.size()) grow();
        SentCall& slot = *probe(slots_, id);
        slot = SentCall{};
        slot.id = id;
        size_++;
        return slot;
    }

    SentCall* find(uint32_t id) {
        if (id == 0) return nullptr;
        SentCall* slot = probe(slots_, id);
        return slot->id == id ? slot : nullptr;
    }

    const SentCall* find(uint32_t id) const { return const_cast<CallTable*>(this)->find(id); }

    void erase(SentCall& entry) {
        // Moves later members of the cluster back, so that no tombstones pile up.
        const size_t mask = slots_.size() - 1;
        size_t hole = static_cast<size_t>(&entry - slots_.data());
        for (size_t at = (hole + 1) & mask; slots_[at].id != 0; at = (at + 1) & mask) {
            const size_t home = slots_[at].id & mask;
            if (((at - home) & mask) < ((at - hole) & mask)) continue;
            slots_[hole] = slots_[at];
            hole = at;
        }
        slots_[hole].id = 0;
        slots_[hole].call = nullptr;
        size_--;
    }

    template <class F>
    void for_each(F&& f) const {
        for (const auto& slot : slots_)
            if (slot.id != 0) f(slot);
    }

  private:
    static SentCall* probe(std::vector<SentCall>& slots, uint32_t id) {
        const size_t mask = slots.size() - 1;
        size_t at = id & mask;
        while (slots[at].id != 0 && slots[at].id != id) at = (at + 1) & mask;
        return &slots[at];
    }

    void grow() {
        std::vector<SentCall> larger(slots_.size() * 2);
        for (const auto& slot : slots_)
            if (slot.id != 0) *probe(larger, slot.id) = slot;
        slots_.swap(larger);
    }

    std::vector<SentCall> slots_;
    size_t size_ = 0;
};

}  // namespace hks::runtime
