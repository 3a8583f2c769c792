// SPDX-License-Identifier: Apache-2.0
#pragma once
// Workers that were made ahead and wait for a version: taken once, never given back. Keyed by what cannot
// change any more once a worker is there. Nothing is kept for a kind that nobody asked for. Knows no processes:
// the backend makes what is missing, when it suits. Loop thread.

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
    auto operator<=>(const PreparedKind&) const = default;
};

class PreparedPool {
  public:
    struct Sizes {
        size_t zygote = 0, prepared = 0;  ///< workers of a kind, by its StartMethod
    };

    /// At most `kinds` kinds of a StartMethod at once; the one asked for longest ago goes first.
    PreparedPool(Sizes sizes, size_t kinds) : sizes_(sizes), most_kinds_(kinds) {}

    /// From now on this kind is kept. Gives back the workers of a kind that had to make room; the caller ends
    /// them.
    std::vector<std::shared_ptr<Worker>> want(const PreparedKind& kind);
    /// The wanted kind that lacks most; nullopt when nothing does.
    std::optional<PreparedKind> missing() const;
    void add(const PreparedKind& kind, std::shared_ptr<Worker> worker);
    /// One that has said HELLO, else one that is on its way, else null.
    std::shared_ptr<Worker> take(const PreparedKind& kind);
    /// It died.
    void forget(const Worker& worker);
    /// The server stops: nothing is wanted any more.
    std::vector<std::shared_ptr<Worker>> take_all();
    size_t size() const;

  private:
    struct Shelf {
        std::vector<std::shared_ptr<Worker>> workers;
        uint64_t asked = 0;
    };

    size_t size_of(const PreparedKind& kind) const {
        return kind.start == StartMethod::zygote ? sizes_.zygote : sizes_.prepared;
    }

    Sizes sizes_;
    size_t most_kinds_;
    std::map<PreparedKind, Shelf> shelves_;
    uint64_t asks_ = 0;
};

}  // namespace hks::runtime
