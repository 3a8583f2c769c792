// SPDX-License-Identifier: Apache-2.0
#include "process/node_pool.hpp"

#include "process/worker.hpp"

#include <algorithm>

namespace hks::runtime {

std::vector<std::shared_ptr<Worker>> NodePool::prepare(const PreparedKind& kind) {
    std::vector<std::shared_ptr<Worker>> removed;
    if (size_ == 0) return removed;
    if (!shelves_.contains(kind) && shelves_.size() >= most_kinds_) {
        const auto oldest =
            std::min_element(shelves_.begin(), shelves_.end(),
                             [](const auto& a, const auto& b) { return a.second.asked < b.second.asked; });
        removed = std::move(oldest->second.workers);
        shelves_.erase(oldest);
    }
    Shelf& shelf = shelves_[kind];
    shelf.asked = ++asks_;
    while (shelf.workers.size() < size_) {
        auto worker = start_(kind);
        if (!worker) break;
        shelf.workers.push_back(std::move(worker));
    }
    return removed;
}

std::shared_ptr<Worker> NodePool::take(const PreparedKind& kind) {
    const auto found = shelves_.find(kind);
    if (found == shelves_.end() || found->second.workers.empty()) return nullptr;
    auto& workers = found->second.workers;
    auto chosen =
        std::find_if(workers.begin(), workers.end(), [](const auto& worker) { return worker->said_hello(); });
    if (chosen == workers.end()) chosen = workers.begin();
    auto worker = std::move(*chosen);
    workers.erase(chosen);
    return worker;
}

void NodePool::forget(const Worker& worker) {
    for (auto& [kind, shelf] : shelves_)
        std::erase_if(shelf.workers, [&](const auto& held) { return held.get() == &worker; });
}

std::vector<std::shared_ptr<Worker>> NodePool::take_all() {
    std::vector<std::shared_ptr<Worker>> all;
    for (auto& [kind, shelf] : shelves_)
        for (auto& worker : shelf.workers) all.push_back(std::move(worker));
    shelves_.clear();
    return all;
}

size_t NodePool::size() const {
    size_t count = 0;
    for (const auto& [kind, shelf] : shelves_) count += shelf.workers.size();
    return count;
}

}  // namespace hks::runtime
