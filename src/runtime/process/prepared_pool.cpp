// SPDX-License-Identifier: Apache-2.0
#include "process/prepared_pool.hpp"

#include <algorithm>

namespace hks::runtime {

namespace {
constexpr std::chrono::seconds burst_length{1};
constexpr std::chrono::minutes burst_counts_for{10};
}  // namespace

size_t PreparedPool::wanted(const PreparedKind& kind, const Shelf& shelf) const {
    const Sizes& sizes = sizes_of(kind);
    return std::clamp(shelf.peak, sizes.least, std::max(sizes.least, sizes.most));
}

PreparedPool::Workers PreparedPool::want(const PreparedKind& kind) {
    Workers removed;
    if (sizes_of(kind).least == 0) return removed;
    shelves_[kind].asked = ++asks_;
    size_t alike = 0;
    auto oldest = shelves_.end();
    for (auto at = shelves_.begin(); at != shelves_.end(); ++at) {
        if (at->first.start != kind.start) continue;
        ++alike;
        if (oldest == shelves_.end() || at->second.asked < oldest->second.asked) oldest = at;
    }
    if (alike > most_kinds_) {
        removed = std::move(oldest->second.workers);
        shelves_.erase(oldest);
    }
    return removed;
}

std::optional<PreparedKind> PreparedPool::missing() const {
    std::optional<PreparedKind> kind;
    size_t most = 0;
    for (const auto& [each, shelf] : shelves_) {
        const size_t want = wanted(each, shelf);
        const size_t lacks = want - std::min(want, shelf.workers.size());
        if (lacks <= most) continue;
        most = lacks;
        kind = each;
    }
    return kind;
}

void PreparedPool::add(const PreparedKind& kind, std::shared_ptr<Worker> worker) {
    shelves_[kind].workers.push_back(std::move(worker));
}

std::shared_ptr<Worker> PreparedPool::take(const PreparedKind& kind, SteadyTime now) {
    const auto found = shelves_.find(kind);
    if (found == shelves_.end()) return nullptr;
    Shelf& shelf = found->second;
    if (now - shelf.second_began >= burst_length) {
        shelf.second_began = now;
        shelf.taken = 0;
    }
    if (++shelf.taken >= shelf.peak) {
        shelf.peak = shelf.taken;
        shelf.peak_at = now;
    }
    auto& workers = shelf.workers;
    if (workers.empty()) return nullptr;
    auto chosen =
        std::find_if(workers.begin(), workers.end(), [this](const auto& each) { return is_up_(*each); });
    if (chosen == workers.end()) chosen = workers.begin();
    auto worker = std::move(*chosen);
    workers.erase(chosen);
    return worker;
}

PreparedPool::Workers PreparedPool::surplus(SteadyTime now) {
    Workers out;
    for (auto& [kind, shelf] : shelves_) {
        if (shelf.peak > 0 && now - shelf.peak_at >= burst_counts_for) shelf.peak = 0;
        const size_t keep = wanted(kind, shelf);
        while (shelf.workers.size() > keep) {
            out.push_back(std::move(shelf.workers.back()));
            shelf.workers.pop_back();
        }
    }
    return out;
}

std::optional<SteadyTime> PreparedPool::next_surplus() const {
    std::optional<SteadyTime> next;
    for (const auto& [kind, shelf] : shelves_) {
        if (wanted(kind, shelf) <= sizes_of(kind).least) continue;
        const SteadyTime at = shelf.peak_at + burst_counts_for;
        next = next ? std::min(*next, at) : at;
    }
    return next;
}

void PreparedPool::forget(const Worker& worker) {
    for (auto& [kind, shelf] : shelves_)
        std::erase_if(shelf.workers, [&](const auto& held) { return held.get() == &worker; });
}

PreparedPool::Workers PreparedPool::take_all() {
    Workers all;
    for (auto& [kind, shelf] : shelves_)
        for (auto& worker : shelf.workers) all.push_back(std::move(worker));
    shelves_.clear();
    return all;
}

size_t PreparedPool::size() const {
    size_t count = 0;
    for (const auto& [kind, shelf] : shelves_) count += shelf.workers.size();
    return count;
}

}  // namespace hks::runtime
