// SPDX-License-Identifier: Apache-2.0
#pragma once
// Workers that were made ahead and wait for a version: taken once, never given back. Keyed by what cannot
// change any more once a worker is there. Nothing is kept for a kind that nobody asked for; of the others at
// least `Sizes::least`, and after a burst as many as were taken within a second of it, `Sizes::most` at the most,
// for ten minutes. Knows no processes and no clock: the backend makes what is missing, when it suits. Loop thread.

#include <hks/core/clock.hpp>
#include <hks/runtime/runtime_table.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hks::runtime {

class Worker;

struct PreparedKind {
    StartMethod start = StartMethod::zygote;
    std::string interpreter;  ///< path
    std::string workspace;    ///< zygote: forks share its hash secret and layout, so never across workspaces
    uint64_t memory = 0;      ///< prepared: sizes the heap
    uint64_t file_bytes = 0;  ///< prepared: the largest file, a limit that only a birth can give to another uid
    auto operator<=>(const PreparedKind&) const = default;
};

class PreparedPool {
  public:
    using Workers = std::vector<std::shared_ptr<Worker>>;
    struct Sizes {
        size_t least = 0, most = 0;  ///< workers of a kind
    };

    using IsUp = bool (*)(const Worker&);

    /// At most `kinds` kinds of a StartMethod at once; the one asked for longest ago goes first. `is_up`: a
    /// worker can be bound at once.
    PreparedPool(Sizes zygote, Sizes prepared, size_t kinds, IsUp is_up)
        : zygote_(zygote), prepared_(prepared), most_kinds_(kinds), is_up_(is_up) {}

    /// From now on this kind is kept. Gives back the workers of a kind that had to make room; the caller ends
    /// them.
    Workers want(const PreparedKind& kind);
    /// The wanted kind that lacks most; nullopt when nothing does.
    std::optional<PreparedKind> missing() const;
    void add(const PreparedKind& kind, std::shared_ptr<Worker> worker);
    /// One that is up, else one that is on its way, else null.
    std::shared_ptr<Worker> take(const PreparedKind& kind, SteadyTime now);
    /// Bursts that are long over count no more: gives back the workers beyond what is kept now; the caller ends
    /// them.
    Workers surplus(SteadyTime now);
    /// When surplus() may have something to give; nullopt = nobody has grown.
    std::optional<SteadyTime> next_surplus() const;
    /// It died.
    void forget(const Worker& worker);
    /// The server stops: nothing is wanted any more.
    Workers take_all();
    size_t size() const;

  private:
    struct Shelf {
        Workers workers;
        uint64_t asked = 0;
        SteadyTime second_began{};  ///< in which `taken` are counted
        size_t taken = 0;
        size_t peak = 0;  ///< the largest `taken` of a burst that still counts
        SteadyTime peak_at{};
    };

    const Sizes& sizes_of(const PreparedKind& kind) const {
        return kind.start == StartMethod::zygote ? zygote_ : prepared_;
    }
    size_t wanted(const PreparedKind& kind, const Shelf& shelf) const;

    Sizes zygote_, prepared_;
    size_t most_kinds_;
    IsUp is_up_;
    std::map<PreparedKind, Shelf> shelves_;
    uint64_t asks_ = 0;
};

}  // namespace hks::runtime
