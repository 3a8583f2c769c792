// SPDX-License-Identifier: Apache-2.0
#include "process/prepared_pool.hpp"

#include "process/worker.hpp"

#include <algorithm>

namespace hks::runtime {

std::vector<std::shared_ptr<Worker>> PreparedPool::want(const PreparedKind& kind) {
    std::vector<std::shared_ptr<Worker>> removed;
    if (size_of(kind) == 0) return removed;
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
        const size_t lacks = size_of(each) - std::min(size_of(each), shelf.workers.size());
        if (lacks <= most) continue;
        most = lacks;
        kind = each;
    }
    return kind;
}

void PreparedPool::add(const PreparedKind& kind, std::shared_ptr<Worker> worker) {
    shelves_[kind].workers.push_back(std::move(worker));
}

std::shared_ptr<Worker> PreparedPool::take(const PreparedKind& kind) {
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

void PreparedPool::forget(const Worker& worker) {
    for (auto& [kind, shelf] : shelves_)
        std::erase_if(shelf.workers, [&](const auto& held) { return held.get() == &worker; });
}

std::vector<std::shared_ptr<Worker>> PreparedPool::take_all() {
    std::vector<std::shared_ptr<Worker>> all;
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
