// SPDX-License-Identifier: Apache-2.0
#pragma once
// Source → bundle → version. enqueue() returns at once; the steps (unpack, dependencies, smoke load, commit) run on
// the build's own threads and end in FunctionRegistry::finish_version()/fail_version(). At most `parallel` builds
// install dependencies at a time, and a few more run beside them. The log of each build can be read and followed while
// it runs and afterwards. Bundles of deleted functions are removed once nothing uses them. Any thread unless it says
// otherwise.

#include <hks/core/error.hpp>
#include <hks/registry/function_registry.hpp>
#include <hks/runtime/instance.hpp>
#include <hks/runtime/runtime_table.hpp>
#include <hks/storage/artifact_store.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hks::telemetry {
class Logger;
class MetricsRegistry;
}
namespace hks::secrets {
class SecretStore;
}

namespace hks::build {

/// Exactly one of archive or file_content.
struct BuildSource {
    std::string archive;        ///< bytes: tar, tar.gz, zip
    std::string file_content;   ///< one file
    std::string filename;       ///< of file_content; "" = made from handler and runtime
};

struct BuildOptions {
    std::string work_dir;            ///< {data_dir}/build: caches of pip and npm, temporary folders
    size_t parallel = 2;             ///< builds that install dependencies at a time
    milliseconds timeout{600'000};
    uint64_t max_bundle_bytes = 512ull << 20;
    size_t max_log_bytes = 4u << 20;
};

struct BuildLogLine {
    int64_t index = 0;          ///< 0, 1, 2 … within the build
    std::string time;           ///< RFC 3339
    std::string text;
};

class BuildService {
  public:
    BuildService(boost::asio::io_context& loop, BuildOptions options, registry::FunctionRegistry& registry,
                 storage::ArtifactStore& artifacts, storage::Database& log_database,
                 const runtime::RuntimeTable& runtimes, runtime::RuntimeBackend& backend,
                 secrets::SecretStore& secrets, telemetry::Logger& logger, telemetry::MetricsRegistry& metrics);
    ~BuildService();

    Result<void> open();   ///< sweeps what a crash left; blocking
    void stop();           ///< interrupts running builds (their versions fail), joins; blocking

    /// Cheap checks before a version is made: runtime exists, source looks like a source. Notes for the user
    /// ("python3.9 is not on this host…") are returned.
    Result<std::vector<std::string>> check(const FunctionSpec& spec, const BuildSource& source) const;
    /// Starts the build of a version that is in status building.
    void enqueue(const registry::FunctionRecord& function, const registry::VersionRecord& version,
                 BuildSource source);
    /// The same code again under another configuration: the bundle of `from` is reused, only the smoke load runs.
    void enqueue_reuse(const registry::FunctionRecord& function, const registry::VersionRecord& version,
                       const registry::VersionRecord& from);

    /// Removes the bundles that no version, no running build and no instance uses; returns how many. Blocking. It is
    /// done without being asked after a function was deleted.
    Result<int> sweep();
    /// STORAGE_FULL while the version's build has failed and the disk does not take even that.
    std::optional<Error> unwritten(int64_t version_key) const;

    /// Lines from `after` + 1 on; `finished` says whether more will come. Blocking.
    Result<std::vector<BuildLogLine>> log(int64_t version_key, int64_t after, bool& finished);
    /// `listener` on the loop whenever a build has a new line or has ended. Until the handle is dropped.
    std::shared_ptr<void> follow(int64_t version_key, std::function<void()> listener);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hks::build
