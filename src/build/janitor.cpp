// SPDX-License-Identifier: Apache-2.0
#include "janitor.hpp"

#include <hks/telemetry/logger.hpp>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <vector>

namespace hks::build {
namespace {

using namespace std::chrono_literals;

/// Instances of a deleted function need a moment to end, and deletes often come in rows.
constexpr milliseconds first_pause = 200ms;
constexpr milliseconds pause = 1s;
constexpr milliseconds pause_after_failure = 10s;

bool may_pass(const Error& error) {
    return error.code == Errc::storage_full || error.code == Errc::provider_error;
}

}  // namespace

struct Janitor::Shared {
    struct Failure {
        std::string function, why;
        Error cause;
    };

    mutable std::mutex mutex;
    std::condition_variable wake;
    bool stopping = false;
    bool sweep_wanted = false;
    std::shared_ptr<const registry::Catalog> known;
    /// Of deleted functions. Whatever may run a version, or is going to, holds it; so does an idle connection
    /// that called it last.
    std::vector<std::weak_ptr<const Version>> leaving;
    std::map<int64_t, Failure> unwritten;  ///< by version

    bool idle() const { return !sweep_wanted && leaving.empty() && unwritten.empty(); }

    /// Called in the order of the registry's writes, each of which removes one function at most.
    void catalog_changed(std::shared_ptr<const registry::Catalog> next) {
        std::lock_guard lock(mutex);
        if (known && next->functions.size() < known->functions.size())
            for (const auto& [name, entry] : known->functions) {
                const auto still = next->functions.find(name);
                if (still != next->functions.end() && still->second->id == entry->id) continue;
                for (const auto& [number, version] : entry->versions) leaving.push_back(version);
                sweep_wanted = true;
            }
        known = std::move(next);
        if (sweep_wanted) wake.notify_all();
    }
};

Janitor::Janitor(registry::FunctionRegistry& registry, storage::ArtifactStore& artifacts, BundlePins& pins,
                 telemetry::Logger& logger)
    : registry_(registry),
      artifacts_(artifacts),
      pins_(pins),
      logger_(logger),
      shared_(std::make_shared<Shared>()) {}

Janitor::~Janitor() {
    stop();
}

void Janitor::start() {
    auto& watch = registry_.watch();
    subscription_ =
        watch.subscribe([shared = shared_, &watch] { shared->catalog_changed(watch.get()); });
    shared_->catalog_changed(watch.get());
    thread_ = std::thread([this] { work(); });
}

void Janitor::stop() {
    if (!thread_.joinable()) return;
    registry_.watch().unsubscribe(subscription_);
    {
        std::lock_guard lock(shared_->mutex);
        shared_->stopping = true;
    }
    shared_->wake.notify_all();
    thread_.join();
    write_failures();
}

void Janitor::work() {
    auto& shared = *shared_;
    milliseconds wait = first_pause;
    std::unique_lock lock(shared.mutex);
    while (true) {
        shared.wake.wait(lock, [&] { return shared.stopping || !shared.idle(); });
        if (shared.wake.wait_for(lock, wait, [&] { return shared.stopping; })) return;
        const auto gone =
            std::erase_if(shared.leaving, [](const auto& version) { return version.expired(); });
        const bool sweeps = std::exchange(shared.sweep_wanted, false) || gone > 0;
        lock.unlock();
        write_failures();
        const bool swept = !sweeps || sweep_quietly();
        lock.lock();
        shared.sweep_wanted = shared.sweep_wanted || !swept;
        wait = !swept ? pause_after_failure : shared.idle() ? first_pause : pause;
    }
}

/// Asked before the registry: a function that is deleted in between is still in the catalog that was known.
std::set<std::string> Janitor::in_use() const {
    std::set<std::string> digests;
    std::lock_guard lock(shared_->mutex);
    if (shared_->known)
        for (const auto& [name, entry] : shared_->known->functions)
            for (const auto& [number, version] : entry->versions) digests.insert(version->digest);
    for (const auto& leaving : shared_->leaving)
        if (const auto version = leaving.lock()) digests.insert(version->digest);
    return digests;
}

Result<int> Janitor::sweep() {
    return pins_.exclusively([this](const std::multiset<std::string>& pinned) -> Result<int> {
        auto keep = in_use();
        auto named = registry_.digests_in_use();
        if (!named) return named.error();
        keep.merge(*named);
        keep.insert(pinned.begin(), pinned.end());
        return artifacts_.sweep(keep);
    });
}

bool Janitor::sweep_quietly() {
    const auto removed = sweep();
    if (!removed)
        logger_.warn("bundles that nobody needs could not be removed", {{"error", removed.error().message}});
    else if (*removed > 0)
        logger_.info("removed bundles that nobody needs", {{"count", *removed}});
    return removed.has_value();
}

void Janitor::sweep_soon() {
    {
        std::lock_guard lock(shared_->mutex);
        shared_->sweep_wanted = true;
    }
    shared_->wake.notify_all();
}

void Janitor::fail(int64_t version_key, const std::string& function, const std::string& why) {
    const auto noted = registry_.fail_version(version_key, why);
    if (noted) return;
    logger_.error("a failed build could not be noted",
                  {{"function", function}, {"error", noted.error().message}});
    if (!may_pass(noted.error())) return;
    {
        std::lock_guard lock(shared_->mutex);
        shared_->unwritten[version_key] = {function, why, noted.error()};
    }
    shared_->wake.notify_all();
}

void Janitor::write_failures() {
    std::map<int64_t, Shared::Failure> failures;
    {
        std::lock_guard lock(shared_->mutex);
        failures = shared_->unwritten;
    }
    for (const auto& [key, failure] : failures) {
        const auto noted = registry_.fail_version(key, failure.why);
        if (!noted && may_pass(noted.error())) continue;
        logger_.info("a failed build is noted now", {{"function", failure.function}});
        std::lock_guard lock(shared_->mutex);
        shared_->unwritten.erase(key);
    }
}

std::optional<Error> Janitor::unwritten(int64_t version_key) const {
    std::lock_guard lock(shared_->mutex);
    const auto found = shared_->unwritten.find(version_key);
    if (found == shared_->unwritten.end()) return std::nullopt;
    const auto& [function, why, cause] = found->second;
    return Error(cause.code, "The build has failed, and the server cannot write that down: " + cause.message +
                                 " The build's own failure: " + why);
}

}  // namespace hks::build
