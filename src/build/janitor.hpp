// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is left to do after builds and deletes, however long it takes until it can be done: bundles that
// nobody names any more go once nothing runs from them; a build's failure is noted once the disk takes it.
// Owned by the BuildService; a thread of its own from start() to stop(). Any thread; everything but
// unwritten() blocks.

#include "bundle_pins.hpp"

#include <hks/registry/function_registry.hpp>
#include <hks/storage/artifact_store.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

namespace hks::build {

class Janitor {
  public:
    Janitor(registry::FunctionRegistry& registry, storage::ArtifactStore& artifacts, BundlePins& pins,
            telemetry::Logger& logger);
    ~Janitor();
    Janitor(const Janitor&) = delete;
    Janitor& operator=(const Janitor&) = delete;

    /// From here on the bundles of functions that are deleted are swept by themselves. The registry is open.
    void start();
    /// Tries once more to note what could not be noted.
    void stop();

    /// Removes bundles that no version, no build and no instance uses; returns how many.
    Result<int> sweep();
    /// A bundle may have been left without a version.
    void sweep_soon();

    /// The version has failed: noted now, or later when the disk does not take it now.
    void fail(int64_t version_key, const std::string& function, const std::string& why);
    /// STORAGE_FULL while the failure of a version is not noted yet.
    std::optional<Error> unwritten(int64_t version_key) const;

  private:
    struct Shared;

    void work();
    void write_failures();
    bool sweep_quietly();
    std::set<std::string> in_use() const;

    registry::FunctionRegistry& registry_;
    storage::ArtifactStore& artifacts_;
    BundlePins& pins_;
    telemetry::Logger& logger_;
    /// Shared with the subscription, which may be called a last time after it has ended.
    const std::shared_ptr<Shared> shared_;
    uint64_t subscription_ = 0;
    std::thread thread_;
};

}  // namespace hks::build
