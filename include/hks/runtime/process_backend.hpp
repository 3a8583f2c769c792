// SPDX-License-Identifier: Apache-2.0
#pragma once
// Instances as local processes: Python forked from a zygote, Node from prepared workers, each in a sandbox of
// its own. Owned by Application; lives on the loop thread; open() before the loop runs, stop() and then the
// destructor after the last Instance. The spawner must have been forked before any thread existed and must
// outlive the backend.

#include <hks/core/clock.hpp>
#include <hks/core/log_record.hpp>
#include <hks/runtime/instance.hpp>
#include <hks/runtime/runtime_table.hpp>
#include <hks/runtime/spawner.hpp>

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>

namespace hks::telemetry {
class Logger;
class MetricsRegistry;
}  // namespace hks::telemetry

namespace hks::runtime {

struct ProcessBackendOptions {
    std::string data_dir;        ///< names this server's cgroups; working folders go to {data_dir}/instances
    std::string bundles;         ///< folder of the bundles, each at {bundles}/{digest}
    uint32_t uid_base = 50'000;  ///< as root: instances run as uid_base … uid_base + max_instances - 1
    uint32_t max_instances = 2'000;
    size_t python_pool = 8;        ///< forked Python workers kept ahead for each workspace in use
    size_t python_pool_max = 100;  ///< the same for ten minutes after a burst
    size_t node_pool = 1;          ///< booted Node workers kept for each memory size in use
    uint32_t max_processes = 256;  ///< and threads, of one instance
    bool use_cgroups = true;
};

/// The uid that interpreters must be usable by: uid_base for root, -1 (ourselves) otherwise.
int function_uid(const ProcessBackendOptions& options);

class ProcessBackend final : public RuntimeBackend {
  public:
    ProcessBackend(boost::asio::io_context& loop, ProcessBackendOptions options, Spawner& spawner,
                   const RuntimeTable& runtimes, FunctionLogSink& logs, const Clock& clock,
                   telemetry::Logger& logger, telemetry::MetricsRegistry& metrics);
    /// Kills what is left.
    ~ProcessBackend() override;

    /// Sweeps what an earlier server of this data directory left, finds out which layers of the sandbox this
    /// host allows. Blocking, some milliseconds; before anything else.
    Result<void> open();

    Result<std::unique_ptr<Instance>> start(const LaunchSpec& spec, InstanceListener& listener) override;
    void prepare(const Version& version) override;
    std::string capabilities_json() const override;
    void stop(std::function<void()> done) override;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hks::runtime
