// SPDX-License-Identifier: Apache-2.0
#include "build_job.hpp"
#include "packager.hpp"

#include <hks/build/build_service.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <condition_variable>
#include <deque>
#include <thread>

namespace hks::build {
namespace fs = std::filesystem;
namespace {

constexpr size_t max_waiting = 64;
/// Beside those that install dependencies.
constexpr size_t quick_builds = 4;
constexpr size_t max_waiting_bytes = 512u << 20;

size_t weight(const BuildRequest& request) {
    return request.source.archive.size() + request.source.file_content.size();
}

}  // namespace

struct BuildService::Impl {
    Impl(boost::asio::io_context& loop, BuildOptions given, registry::FunctionRegistry& registry_,
         storage::ArtifactStore& artifacts_, storage::Database& database,
         const runtime::RuntimeTable& runtimes_, runtime::RuntimeBackend& backend,
         secrets::SecretStore& secrets, telemetry::Logger& logger_, telemetry::MetricsRegistry& metrics)
        : options(std::move(given)),
          registry(registry_),
          artifacts(artifacts_),
          runtimes(runtimes_),
          logger(logger_),
          logs(loop, database, options.max_log_bytes),
          cache(database),
          dependencies(fs::path(options.work_dir) / "cache" / "deps"),
          loader(loop, backend),
          installs(std::max<size_t>(options.parallel, 1)),
          janitor(registry, artifacts, pins, logger),
          parts{options,      registry, artifacts, runtimes, secrets, logger,  cache,
                dependencies, loader,   pins,      installs, janitor, stopping},
          succeeded(metrics.counter("hks_builds_total", "Builds that have ended.", {{"result", "success"}})),
          failed(metrics.counter("hks_builds_total", "Builds that have ended.", {{"result", "failed"}})),
          duration(metrics.histogram("hks_build_seconds", "Time from the start of a build to its end.")) {}

    void work();
    void run_one(BuildRequest& request);
    void refuse(BuildRequest& request, const std::string& why);
    void enqueue(BuildRequest request);

    const BuildOptions options;
    registry::FunctionRegistry& registry;
    storage::ArtifactStore& artifacts;
    const runtime::RuntimeTable& runtimes;
    telemetry::Logger& logger;
    BuildLogStore logs;
    BuildCache cache;
    DependencyCache dependencies;
    SmokeLoader loader;
    BundlePins pins;
    InstallSlots installs;
    Janitor janitor;
    StopSignal stopping;
    const BuildParts parts;
    telemetry::Counter& succeeded;
    telemetry::Counter& failed;
    telemetry::Histogram& duration;

    std::mutex mutex;
    std::condition_variable wake;
    std::deque<BuildRequest> waiting;
    size_t waiting_bytes = 0;
    size_t running = 0;
    std::vector<std::thread> threads;
};

void BuildService::Impl::work() {
    std::unique_lock lock(mutex);
    while (true) {
        wake.wait(lock, [this] { return stopping.raised() || !waiting.empty(); });
        if (waiting.empty()) return;
        BuildRequest request = std::move(waiting.front());
        waiting.pop_front();
        waiting_bytes -= weight(request);
        ++running;
        lock.unlock();
        if (stopping.raised())
            refuse(request, "The server stopped before the build began. Deploy again.");
        else
            run_one(request);
        lock.lock();
        --running;
    }
}

void BuildService::Impl::run_one(BuildRequest& request) {
    const auto start = std::chrono::steady_clock::now();
    const bool good = BuildJob(parts, request).run();
    const auto took = std::chrono::steady_clock::now() - start;
    // It may have made a bundle before its function was deleted.
    if (!good) janitor.sweep_soon();
    (good ? succeeded : failed).add();
    duration.observe_us(
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
    logger.info(good ? "version built" : "build failed",
                {{"workspace", request.function.workspace},
                 {"function", request.function.name},
                 {"version", request.version.number},
                 {"ms", std::chrono::duration_cast<milliseconds>(took).count()}});
    request.log->end();
}

void BuildService::Impl::refuse(BuildRequest& request, const std::string& why) {
    failed.add();
    janitor.fail(request.version.key, request.function.name, why);
    if (!request.log) return;
    request.log->say(why);
    request.log->end();
}

void BuildService::Impl::enqueue(BuildRequest request) {
    auto log = logs.begin(request.version.key);
    if (!log) return refuse(request, "The build log cannot be written: " + log.error().message);
    request.log = *log;
    std::unique_lock lock(mutex);
    const bool stopped = stopping.raised();
    const bool full = waiting.size() >= max_waiting || waiting_bytes + weight(request) > max_waiting_bytes;
    if (!stopped && !full) {
        const size_t before = running + waiting.size();
        if (before >= threads.size())
            request.log->say("waiting for " + std::to_string(before) + " builds that came before this one");
        waiting_bytes += weight(request);
        waiting.push_back(std::move(request));
        lock.unlock();
        wake.notify_one();
        return;
    }
    lock.unlock();
    refuse(request, stopped ? "The server is stopping. Deploy again in a moment."
                            : "Too many builds are waiting. Deploy again in a minute.");
}

BuildService::BuildService(boost::asio::io_context& loop, BuildOptions options,
                           registry::FunctionRegistry& registry, storage::ArtifactStore& artifacts,
                           storage::Database& log_database, const runtime::RuntimeTable& runtimes,
                           runtime::RuntimeBackend& backend, secrets::SecretStore& secrets,
                           telemetry::Logger& logger, telemetry::MetricsRegistry& metrics)
    : impl_(std::make_unique<Impl>(loop, std::move(options), registry, artifacts, log_database, runtimes,
                                   backend, secrets, logger, metrics)) {}

BuildService::~BuildService() {
    stop();
}

Result<void> BuildService::open() {
    const fs::path work = impl_->options.work_dir;
    std::error_code failure;
    kill_processes_with("HOME=" + (work / "tmp").string() + "/");
    fs::remove_all(work / "tmp", failure);
    for (const char* name : {"tmp", "cache/pip", "cache/npm", "cache/deps"}) {
        fs::create_directories(work / name, failure);
        if (failure)
            return Error(Errc::provider_error, "Making '" + (work / name).string() +
                                                   "' failed: " + failure.message() +
                                                   ". Look at the rights of the data directory.");
    }
    // Mirrors of package indexes may be named with passwords, and packages may be private.
    fs::permissions(work, fs::perms::owner_all, failure);
    if (auto opened = impl_->logs.open(); !opened) return opened;
    if (auto opened = impl_->cache.open(); !opened) return opened;
    impl_->janitor.start();
    std::lock_guard lock(impl_->mutex);
    for (size_t i = 0; i < std::max<size_t>(impl_->options.parallel, 1) + quick_builds; ++i)
        impl_->threads.emplace_back([this] { impl_->work(); });
    return {};
}

void BuildService::stop() {
    {
        std::lock_guard lock(impl_->mutex);
        impl_->stopping.raise();
    }
    impl_->wake.notify_all();
    for (std::thread& thread : impl_->threads)
        if (thread.joinable()) thread.join();
    impl_->janitor.stop();
}

Result<std::vector<std::string>> BuildService::check(const FunctionSpec& spec,
                                                     const BuildSource& source) const {
    if (auto fine = check_source(source, spec); !fine) return fine.error();
    RuntimeSpec runtime = spec.runtime;
    if (runtime.name.empty()) runtime.name = language_of(source);
    std::vector<std::string> notes;
    if (runtime.name.empty()) return notes;  // told by the files, once they are unpacked
    auto choice = impl_->runtimes.choose(runtime);
    if (!choice) return choice.error();
    if (!choice->note.empty()) notes.push_back(choice->note);
    return notes;
}

void BuildService::enqueue(const registry::FunctionRecord& function, const registry::VersionRecord& version,
                           BuildSource source) {
    BuildRequest request;
    request.function = function;
    request.version = version;
    request.source = std::move(source);
    impl_->enqueue(std::move(request));
}

void BuildService::enqueue_reuse(const registry::FunctionRecord& function,
                                 const registry::VersionRecord& version,
                                 const registry::VersionRecord& from) {
    BuildRequest request;
    request.function = function;
    request.version = version;
    request.reuse_digest = from.digest;
    request.reuse_runtime = from.runtime;
    if (from.digest.empty())
        return impl_->refuse(request, "Version " + std::to_string(from.number) +
                                          " has no code that could be used again. Deploy the folder.");
    impl_->enqueue(std::move(request));
}

Result<int> BuildService::sweep() {
    return impl_->janitor.sweep();
}

std::optional<Error> BuildService::unwritten(int64_t version_key) const {
    return impl_->janitor.unwritten(version_key);
}

Result<std::vector<BuildLogLine>> BuildService::log(int64_t version_key, int64_t after, bool& finished) {
    return impl_->logs.lines(version_key, after, finished);
}

std::shared_ptr<void> BuildService::follow(int64_t version_key, std::function<void()> listener) {
    return impl_->logs.follow(version_key, std::move(listener));
}

}  // namespace hks::build
