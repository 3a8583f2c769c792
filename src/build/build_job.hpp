// SPDX-License-Identifier: Apache-2.0
#pragma once
// The steps of one build: source → folder → dependencies → bundle → smoke load → version. Runs on one build
// thread; whatever goes wrong ends in a failed version and nothing left on disk.

#include "build_cache.hpp"
#include "build_log.hpp"
#include "builders/builder.hpp"
#include "bundle_pins.hpp"
#include "dependency_cache.hpp"
#include "install_slots.hpp"
#include "janitor.hpp"
#include "smoke_loader.hpp"
#include "stop_signal.hpp"

#include <hks/build/build_service.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace hks::build {

/// What every build uses; owned by the service.
struct BuildParts {
    const BuildOptions& options;
    registry::FunctionRegistry& registry;
    storage::ArtifactStore& artifacts;
    const runtime::RuntimeTable& runtimes;
    secrets::SecretStore& secrets;
    telemetry::Logger& logger;
    BuildCache& cache;
    DependencyCache& dependencies;
    SmokeLoader& loader;
    BundlePins& pins;
    InstallSlots& installs;
    Janitor& janitor;
    const StopSignal& stop;
};

struct BuildRequest {
    registry::FunctionRecord function;
    registry::VersionRecord version;
    BuildSource source;
    std::string reuse_digest;   ///< a bundle that is there already; "" = build from the source
    std::string reuse_runtime;  ///< what it was built for: "python3.11"
    std::shared_ptr<BuildLog> log;
};

class BuildJob {
  public:
    BuildJob(const BuildParts& parts, BuildRequest& request);
    ~BuildJob();
    BuildJob(const BuildJob&) = delete;
    BuildJob& operator=(const BuildJob&) = delete;

    /// True: the version is built.
    bool run();

  private:
    struct Bundle {
        std::filesystem::path path;
        std::string digest;
        bool committed = false;  ///< it lies in the store
    };

    Result<void> build();
    Result<void> choose_runtime(const std::filesystem::path* folder);
    Result<Bundle> make_bundle();
    Result<Bundle> reuse_bundle();
    Result<void> fill(const std::filesystem::path& folder);
    Result<bool> install(BuildContext& context);
    InstallSlots::Slot wait_for_install(BuildContext& context);
    Result<void> load(const Bundle& bundle);
    Result<void> commit(const Bundle& bundle);
    std::optional<std::string> known_bundle(const std::string& source_key);
    std::string source_key(const std::string& source_digest) const;
    std::string load_key(const std::string& digest) const;
    Result<void> still_wanted() const;
    void fail(const Error& error);
    void clean_up();
    std::string elapsed() const;

    const BuildParts& parts_;
    BuildRequest& request_;
    BuildLog& log_;
    const SteadyTime started_;
    SteadyTime deadline_;  ///< waiting for other builds does not count
    FunctionSpec spec_;  ///< as it gets resolved
    const runtime::Interpreter* interpreter_ = nullptr;
    std::filesystem::path temporary_;  ///< in the artifact store
    std::filesystem::path scratch_;
    bool tools_ran_ = false;  ///< some may have slipped out of their group
    std::string source_key_;
    std::string pinned_;
};

}  // namespace hks::build
