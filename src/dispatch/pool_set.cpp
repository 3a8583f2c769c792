// SPDX-License-Identifier: Apache-2.0
#include "pool_set.hpp"

#include <hks/telemetry/logger.hpp>

#include <algorithm>

namespace hks::dispatch {
namespace {

/// Zygotes and prepared workers that are made ready at start, before anybody has called.
constexpr size_t prepared_at_most = 16;

}  // namespace

PoolSet::PoolSet(DispatcherOptions options, PoolServices services)
    : options_(options), services_(std::move(services)) {}

PoolSet::~PoolSet() {
    for (auto& [key, pool] : pools_) pool->close();
}

std::shared_ptr<VersionPool> PoolSet::pool(const std::shared_ptr<const Version>& version) {
    auto& pool = pools_[version->key];
    if (pool) return pool;
    pool = std::make_shared<VersionPool>(*this, version);
    if (catalog_ && !stopping_) {
        const auto entry = catalog_->find(version->workspace, version->function);
        if (entry && entry->active && entry->active->key == version->key) pool->set_active(true);
    }
    return pool;
}

void PoolSet::reconcile(std::shared_ptr<const registry::Catalog> catalog) {
    if (stopping_) return;
    catalog_ = std::move(catalog);
    std::vector<std::shared_ptr<VersionPool>> pools;
    for (const auto& [key, pool] : pools_) pools.push_back(pool);
    for (const auto& pool : pools) {
        const Version& version = pool->version();
        const auto entry = catalog_->find(version.workspace, version.function);
        const bool active = entry && entry->active && entry->active->key == version.key;
        const auto known = entry ? entry->versions.find(version.number) : decltype(entry->versions.end()){};
        if (active || (entry && known != entry->versions.end() && known->second->key == version.key)) {
            pool->set_active(active);
        } else {
            pool->retire();
            retired_.push_back(version.key);
        }
    }
    for (const auto& [name, entry] : catalog_->functions) {
        if (!entry->active) continue;
        const auto& scaling = entry->active->spec.scaling;
        if (scaling.min_scale > 0 || scaling.warm > 0) pool(entry->active)->set_active(true);
    }
    prepare_runtimes();
    if (!retired_.empty()) ask_settle();
}

void PoolSet::prepare_runtimes() {
    for (const auto& [name, entry] : catalog_->functions) {
        if (prepared_.size() >= prepared_at_most) return;
        if (!entry->active) continue;
        const auto& runtime = entry->active->spec.runtime;
        if (prepared_.insert(entry->workspace + "/" + runtime.name + runtime.version).second)
            services_.backend.prepare(*entry->active);
    }
}

bool PoolSet::make_room(VersionPool& asking, bool may_evict) {
    if (instances < options_.max_instances) return true;
    VersionPool* richest = nullptr;
    SteadyTime oldest = never;
    for (const auto& [key, pool] : pools_) {
        if (!may_evict || pool.get() == &asking) continue;
        const SteadyTime since = pool->longest_idle();
        if (since < oldest) {
            oldest = since;
            richest = pool.get();
        }
    }
    if (richest) {
        richest->evict_longest_idle();
        if (instances < options_.max_instances) return true;
    }
    if (!asking.starved) {
        asking.starved = true;
        starved_.push_back(&asking);
    }
    return false;
}

void PoolSet::feed_starved(SteadyTime now) {
    std::vector<VersionPool*> hungry;
    hungry.swap(starved_);
    for (VersionPool* pool : hungry) pool->starved = false;
    for (VersionPool* pool : hungry) pool->scale(now);
}

void PoolSet::want_wake(VersionPool& pool, SteadyTime at) {
    pool.wake = at;
    if (!pool.armed) {
        pool.armed = true;
        armed_.push_back(&pool);
    }
    arm_timer(at);
}

void PoolSet::arm_timer(SteadyTime at) {
    if (at >= timer_) return;
    timer_ = at;
    services_.wake_at(at);
}

void PoolSet::advance(SteadyTime now) {
    timer_ = never;
    std::vector<VersionPool*> due;
    std::erase_if(armed_, [&](VersionPool* pool) {
        if (pool->wake > now) return false;
        pool->wake = never;
        pool->armed = false;
        due.push_back(pool);
        return true;
    });
    for (VersionPool* pool : due) pool->on_time(now);
    for (const VersionPool* pool : armed_) arm_timer(pool->wake);
    if (stopping_) {
        go_on_stopping();
        if (stop_deadline_ != never) arm_timer(stop_deadline_);
    }
}

void PoolSet::ask_settle() {
    if (settle_asked_) return;
    settle_asked_ = true;
    services_.settle_later();
}

void PoolSet::bury(std::unique_ptr<runtime::Instance> instance) {
    buried_.push_back(std::move(instance));
    ask_settle();
}

void PoolSet::call_left() {
    if (--inside == 0 && stopping_) ask_settle();
}

void PoolSet::instance_left() {
    --instances;
    if (!starved_.empty()) ask_settle();
}

void PoolSet::settle() {
    settle_asked_ = false;
    std::vector<std::unique_ptr<runtime::Instance>> gone;
    gone.swap(buried_);
    gone.clear();
    std::erase_if(retired_, [&](int64_t key) {
        const auto at = pools_.find(key);
        if (at == pools_.end()) return true;
        if (!at->second->finished()) return false;
        std::erase(armed_, at->second.get());
        std::erase(starved_, at->second.get());
        at->second->close();
        pools_.erase(at);
        return true;
    });
    if (!starved_.empty() && instances < options_.max_instances) feed_starved(now());
    go_on_stopping();
}

void PoolSet::stop(SteadyTime deadline, std::function<void(bool)> done) {
    stopping_ = true;
    stop_deadline_ = deadline;
    stopped_ = std::move(done);
    arm_timer(deadline);
    ask_settle();
}

void PoolSet::go_on_stopping() {
    if (!stopping_ || !stopped_) return;
    const SteadyTime now = this->now();
    std::vector<std::shared_ptr<VersionPool>> pools;
    for (const auto& [key, pool] : pools_) pools.push_back(pool);
    if (!drained_ && (inside == 0 || now >= stop_deadline_)) {
        drained_ = true;
        clean_ = inside == 0;
        stop_deadline_ = now + options_.drain_grace + std::chrono::seconds(5);
        for (const auto& pool : pools) {
            pool->fail_waiting_for_stop();
            if (clean_)
                pool->drain_all();
            else
                pool->kill_all("was stopped with the server");
        }
        arm_timer(stop_deadline_);
    }
    if (!drained_) return;
    const bool empty =
        std::all_of(pools.begin(), pools.end(), [](const auto& pool) { return pool->slots() == 0; });
    if (!empty && now < stop_deadline_) return;
    stop_deadline_ = never;
    const auto done = std::exchange(stopped_, nullptr);
    done(clean_ && empty);
}

std::vector<PoolStatus> PoolSet::status(const std::string& workspace, const std::string& function) const {
    std::vector<PoolStatus> out;
    for (const auto& [key, pool] : pools_) {
        if (pool->version().workspace == workspace && pool->version().function == function)
            out.push_back(pool->status());
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.version < b.version; });
    return out;
}

}  // namespace hks::dispatch
