// SPDX-License-Identifier: Apache-2.0
#include "process/backend_impl.hpp"
#include "process/cgroup_files.hpp"
#include "process/process_instance.hpp"
#include "process/requests.hpp"

#include <hks/core/ids.hpp>
#include <hks/runtime/process_backend.hpp>

#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <unistd.h>

namespace hks::runtime {

namespace {

constexpr size_t most_prepared_kinds = 4;

PreparedKind kind_of(const Interpreter& interpreter, const Version& version) {
    PreparedKind kind;
    kind.start = RuntimeTable::start_method(interpreter.language);
    kind.interpreter = interpreter.path;
    if (kind.start == StartMethod::zygote) {
        kind.workspace = version.workspace;
    } else {
        kind.memory = version.spec.resources.memory;
        kind.file_bytes = version.spec.resources.ephemeral_storage;
    }
    return kind;
}

/// FNV-1a: names cgroups after the data directory, nothing more.
std::string short_hash(const std::string& text) {
    uint64_t hash = 1469598103934665603ull;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (int i = 0; i < 8; i++) out += digits[hash >> (i * 4) & 15];
    return out;
}

std::string random_name() {
    unsigned char bytes[6];
    random_bytes(bytes, sizeof bytes);
    return short_hash({reinterpret_cast<const char*>(bytes), sizeof bytes});
}

}  // namespace

int function_uid(const ProcessBackendOptions& options) {
    return ::geteuid() == 0 ? static_cast<int>(options.uid_base) : -1;
}

ProcessBackend::Impl::Impl(boost::asio::io_context& loop, ProcessBackendOptions options, Spawner& spawner,
                           const RuntimeTable& runtimes, FunctionLogSink& logs, const Clock& clock,
                           telemetry::Logger& logger, telemetry::MetricsRegistry& metrics)
    : loop_(loop),
      options_(std::move(options)),
      spawner_(spawner),
      runtimes_(runtimes),
      logs_(logs),
      clock_(clock),
      logger_(logger),
      starts_(
          metrics.counter("hks_worker_starts_total", "Worker processes started, prepared ones included.")),
      ends_(metrics.counter("hks_worker_ends_total", "Worker processes that have ended.")),
      memory_kills_(
          metrics.counter("hks_worker_memory_kills_total", "Instances that used more memory than they may.")),
      alive_(metrics.gauge("hks_workers", "Worker processes alive, prepared ones included.")),
      prepared_(metrics.gauge("hks_workers_prepared", "Booted workers that wait for a version.")),
      spawner_socket_(loop),
      clean_timer_(loop),
      sample_timer_(loop),
      refill_timer_(loop),
      surplus_timer_(loop),
      pool_({options_.python_pool, options_.python_pool_max}, {options_.node_pool, options_.node_pool},
            most_prepared_kinds, [](const Worker& worker) { return worker.said_hello(); }) {}

ProcessBackend::Impl::~Impl() {
    alive_token_.reset();
    (void)pool_.take_all();
    bindings_.clear();
    for (auto& [serial, worker] : workers_) worker->cut();
    stop_zygotes();
    for (auto& [serial, worker] : workers_) remains_.push_back({std::move(worker->parts().cgroup), -1, ""});
    for (auto& remains : remains_) remains.group.kill();
    cgroups_.remove_all();
    std::error_code ignored;
    if (!instances_folder_.empty()) std::filesystem::remove_all(instances_folder_, ignored);
}

Result<void> ProcessBackend::Impl::open() {
    const std::string run = random_name();
    std::error_code error;
    options_.data_dir = std::filesystem::absolute(options_.data_dir, error).lexically_normal().string();
    options_.bundles = std::filesystem::absolute(options_.bundles, error).lexically_normal().string();
    if (options_.data_dir.size() >= sizeof(hks_sandbox_spec::code_source))
        return Error(Errc::provider_error,
                     "The path of the data directory is too long: use one of at most 1000 bytes.");
    const std::filesystem::path instances = std::filesystem::path(options_.data_dir) / "instances";
    std::filesystem::remove_all(instances, error);
    instances_folder_ = (instances / run).string();
    std::filesystem::create_directories(instances_folder_, error);
    if (error)
        return Error(Errc::provider_error, "cannot make " + instances_folder_ + ": " + error.message() +
                                               "; give the server a data_dir it may write");
    // Without private mounts a worker has to pass through to reach its own folder.
    ::chmod(instances.c_str(), 0711);
    ::chmod(instances_folder_.c_str(), 0711);
    const std::string tag = "hks-" + short_hash(std::filesystem::absolute(options_.data_dir, error).string());
    if (options_.use_cgroups) cgroups_ = Cgroups::detect(tag, run);
    if (auto sent = spawner_.send(places_request(instances_folder_, cgroups_.parents())); !sent) return sent;
    auto layers = probe_layers(spawner_, options_.data_dir, runtimes_, cgroups_, options_.uid_base);
    if (!layers) return layers.error();
    layers_ = std::move(*layers);
    if (!layers_.has(HKS_LAYER_CGROUP)) cgroups_.forget();
    for (const auto& [name, state] : describe(layers_))
        if (state.starts_with("missing")) logger_.warn("sandbox layer is " + state, {{"layer", name}});
    if (layers_.has(HKS_LAYER_OWN_UID))
        for (uint32_t slot = 0; slot < options_.max_instances; slot++)
            free_uid_slots_.push_back(static_cast<int>(slot));
    spawner_socket_.assign(::dup(spawner_.socket()));
    listen_to_spawner();
    while (cgroups_.prepare_one()) continue;
    return {};
}

Result<std::unique_ptr<Instance>> ProcessBackend::Impl::start(const LaunchSpec& spec,
                                                              InstanceListener& listener) {
    if (stopping_ || spawner_lost_)
        return Error(Errc::provider_error, stopping_
                                               ? "the server is stopping: try again when it is back"
                                               : "the spawner of this server has died: restart the server");
    auto choice = runtimes_.choose(spec.version->spec.runtime);
    if (!choice) return choice.error();
    const Interpreter& interpreter = *choice->interpreter;
    const std::string code = code_of(spec);
    const PreparedKind kind = kind_of(interpreter, *spec.version);
    auto worker = pool_.take(kind, clock_.steady());
    if (worker == nullptr) {
        auto made = make_worker(kind);
        if (!made) return made.error();
        worker = std::move(*made);
    }
    auto instance = std::make_unique<ProcessInstance>(worker);
    WorkerBinding binding = make_binding(spec, interpreter, *worker, code);
    binding.instance = instance.get();
    binding.listener = &listener;
    worker->claim(std::move(binding));
    bind(*worker, kind.start, code);
    want_prepared(kind, refill_delay);
    return std::unique_ptr<Instance>(std::move(instance));
}

void ProcessBackend::Impl::prepare(const Version& version) {
    if (stopping_ || spawner_lost_) return;
    auto choice = runtimes_.choose(version.spec.runtime);
    if (!choice) return;
    const PreparedKind kind = kind_of(*choice->interpreter, version);
    if (kind.start == StartMethod::zygote) (void)zygote_for(kind.interpreter, kind.workspace);
    want_prepared(kind, milliseconds(0));
}

std::string ProcessBackend::Impl::capabilities_json() const {
    nlohmann::json out = {{"backend", "process"}};
    auto& isolation = out["isolation"] = nlohmann::json::object();
    for (const auto& [name, state] : describe(layers_)) isolation[name] = state;
    auto& limits = out["limits"] = nlohmann::json::object();
    for (const auto& [name, why] : cgroups_.controllers())
        limits[name] = why.empty() ? "in_force" : "missing (" + why + ")";
    if (!cgroups_.limits_memory()) limits["memory"] = "sampled every 100 ms";
    out["max_instances"] = options_.max_instances;
    out["max_processes"] = options_.max_processes;
    auto& runtimes = out["runtimes"] = nlohmann::json::array();
    for (const auto& interpreter : runtimes_.found())
        runtimes.push_back({{"name", interpreter.language},
                            {"label", interpreter.label()},
                            {"version", interpreter.version}});
    return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void ProcessBackend::Impl::stop(std::function<void()> done) {
    stopping_ = true;
    stopped_ = std::move(done);
    (void)pool_.take_all();
    const auto workers = workers_;
    for (const auto& [serial, worker] : workers) worker->kill("the server stops");
    check_stopped();
}

ProcessBackend::ProcessBackend(boost::asio::io_context& loop, ProcessBackendOptions options, Spawner& spawner,
                               const RuntimeTable& runtimes, FunctionLogSink& logs, const Clock& clock,
                               telemetry::Logger& logger, telemetry::MetricsRegistry& metrics)
    : impl_(std::make_unique<Impl>(loop, std::move(options), spawner, runtimes, logs, clock, logger,
                                   metrics)) {}

ProcessBackend::~ProcessBackend() = default;

Result<void> ProcessBackend::open() {
    return impl_->open();
}

Result<std::unique_ptr<Instance>> ProcessBackend::start(const LaunchSpec& spec, InstanceListener& listener) {
    return impl_->start(spec, listener);
}

void ProcessBackend::prepare(const Version& version) {
    impl_->prepare(version);
}

std::string ProcessBackend::capabilities_json() const {
    return impl_->capabilities_json();
}

void ProcessBackend::stop(std::function<void()> done) {
    impl_->stop(std::move(done));
}

}  // namespace hks::runtime
