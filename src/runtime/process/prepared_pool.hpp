// SPDX-License-Identifier: Apache-2.0
#pragma once
// Booted workers that wait for a version: taken once, never given back, replaced when taken. Keyed by what
// cannot change after the boot. Nothing is kept for a kind that nobody asked for. Knows no processes: the
// backend starts what it asks for. Loop thread.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hks::runtime {

class Worker;

struct PreparedKind {
    std::string interpreter;  ///< path
    uint64_t memory = 0;      ///< sizes the heap
    auto operator<=>(const PreparedKind&) const = default;
};

class NodePool {
  public:
    using Start = std::function<std::shared_ptr<Worker>(const PreparedKind&)>;  ///< null when it cannot

    /// `size` a kind; at most `kinds` kinds at once, the one asked for longest ago goes first.
    NodePool(size_t size, size_t kinds, Start start)
        : size_(size), most_kinds_(kinds), start_(std::move(start)) {}

    /// Starts what is missing. Gives back workers of a kind that had to make room; the caller ends them.
    std::vector<std::shared_ptr<Worker>> prepare(const PreparedKind& kind);
    /// One that has booted, else one that is booting, else null. Does not refill: call prepare() after.
    std::shared_ptr<Worker> take(const PreparedKind& kind);
    /// It died, or the server stops.
    void forget(const Worker& worker);
    std::vector<std::shared_ptr<Worker>> take_all();
    size_t size() const;

  private:
    struct Shelf {
        std::vector<std::shared_ptr<Worker>> workers;
        uint64_t asked = 0;
    };

    size_t size_, most_kinds_;
    Start start_;
    std::map<PreparedKind, Shelf> shelves_;
    uint64_t asks_ = 0;
};

}  // namespace hks::runtime
