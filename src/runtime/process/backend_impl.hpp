// SPDX-License-Identifier: Apache-2.0
#pragma once
// The inside of ProcessBackend: who is running, who waits to be cleaned up, and the sockets to spawner and
// zygotes. process_backend.cpp the public face, backend_launch.cpp births, backend_reports.cpp ends.

#include "process/cgroup.hpp"
#include "process/host_layers.hpp"
#include "process/prepared_pool.hpp"
#include "process/worker.hpp"
#include "process/zygote.hpp"

#include <hks/runtime/process_backend.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <map>
#include <set>
#include <vector>

namespace hks::runtime {

/// Before the next try to make a worker ahead when one did not come up.
inline constexpr milliseconds refill_back_off{1'000};
/// Workers that are made ahead at a time: they compete with calls for the cores, and wait for the kernel more than
/// they work.
inline constexpr size_t most_refills = 4;
/// Instances that start for a call come first; not for ever, or a crowd of them would never find a worker ready.
inline constexpr milliseconds refill_delay{10};
inline constexpr unsigned most_postponements = 100;

class ProcessBackend::Impl final : public WorkerHost, public ZygoteHost {
  public:
    Impl(boost::asio::io_context& loop, ProcessBackendOptions options, Spawner& spawner,
         const RuntimeTable& runtimes, FunctionLogSink& logs, const Clock& clock, telemetry::Logger& logger,
         telemetry::MetricsRegistry& metrics);
    ~Impl() override;

    Result<void> open();
    Result<std::unique_ptr<Instance>> start(const LaunchSpec& spec, InstanceListener& listener);
    void prepare(const Version& version);
    std::string capabilities_json() const;
    void stop(std::function<void()> done);

    void worker_said_hello(Worker& worker) override;
    void worker_gone(Worker& worker) override;
    void zygote_report(Zygote& zygote, const SpawnReport& report) override;
    void zygote_gone(Zygote& zygote) override;

  private:
    /// What a process is born with.
    struct Birth {
        std::shared_ptr<Worker> worker;
        hks_sandbox_spec spec{};
        std::vector<int> descriptors;  ///< the child's ends, ours to give away
    };
    /// A group that was not empty yet, a uid that may not be used again before it is.
    struct Remains {
        Cgroup group;
        int uid_slot = -1;
        std::string work_dir;
    };

    // backend_launch.cpp
    Result<Birth> bear(const PreparedKind& kind);
    void fill_spec(Birth& birth, const WorkerParts& parts);
    Result<std::shared_ptr<Worker>> make_worker(const PreparedKind& kind);
    Result<std::shared_ptr<Worker>> fork_python(const PreparedKind& kind);
    Result<std::shared_ptr<Worker>> exec_node(const PreparedKind& kind);
    Result<Zygote*> zygote_for(const std::string& interpreter, const std::string& workspace);
    WorkerBinding make_binding(const LaunchSpec& spec, const Interpreter& interpreter, const Worker& worker,
                               const std::string& code) const;
    void bind(Worker& worker, StartMethod start, const std::string& code);
    void bind_code(Worker& worker);
    CgroupLimits limits_of(const ResourceSpec& resources) const;
    std::string code_of(const LaunchSpec& spec) const;
    void want_prepared(const PreparedKind& kind, milliseconds delay);
    void schedule_refill(milliseconds delay);
    void refill();
    bool makes_way();
    void schedule_surplus();

    // backend_reports.cpp
    void listen_to_spawner();
    void on_spawner_readable();
    void handle(const SpawnReport& report);
    void code_bound(uint64_t serial, int error);
    void spawner_gone();
    void clear_away(Remains remains);
    bool cleared(Remains& remains);
    void schedule_cleaning();
    void clean();
    void sweep_orphans();
    void sample_memory();
    void schedule_sampling();
    void check_stopped();
    void stop_zygotes();

    boost::asio::io_context& loop_;
    ProcessBackendOptions options_;
    Spawner& spawner_;
    const RuntimeTable& runtimes_;
    FunctionLogSink& logs_;
    const Clock& clock_;
    telemetry::Logger& logger_;
    telemetry::Counter& starts_;
    telemetry::Counter& ends_;
    telemetry::Counter& memory_kills_;
    telemetry::Gauge& alive_;
    telemetry::Gauge& prepared_;

    Cgroups cgroups_;
    HostLayers layers_;
    std::string instances_folder_;
    boost::asio::posix::stream_descriptor spawner_socket_;
    boost::asio::steady_timer clean_timer_, sample_timer_, refill_timer_, surplus_timer_;
    bool cleaning_ = false, sampling_ = false, making_groups_ = false, spawner_lost_ = false;
    bool refill_scheduled_ = false, surplus_scheduled_ = false;
    unsigned postponed_ = 0;        ///< times in a row that a refill made way for starts
    std::set<uint64_t> refilling_;  ///< serials of the workers that are being made ahead

    std::map<uint64_t, std::shared_ptr<Worker>> workers_;
    std::map<std::string, std::shared_ptr<Zygote>> zygotes_;  ///< interpreter + "\n" + workspace
    std::map<uint64_t, std::string> forking_;                 ///< serial → zygote it was asked of
    std::map<uint64_t, std::string> bindings_;  ///< serial → bundle to be bound before its LOAD
    PreparedPool pool_;
    std::deque<int> free_uid_slots_;
    std::vector<Remains> remains_;
    uint64_t last_serial_ = 0;
    std::shared_ptr<bool> alive_token_ =
        std::make_shared<bool>(true);  ///< posted work asks whether we still are
    bool stopping_ = false;
    std::function<void()> stopped_;
};

}  // namespace hks::runtime
