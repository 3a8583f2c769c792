// SPDX-License-Identifier: Apache-2.0
#pragma once
// A BuildService with everything real but the instances: registry, store, databases, interpreters of this
// host, pip and npm. The backend reads the bundle: what the file "load" in it says is what loading does.

#include "support/results.hpp"
#include "support/temporary_folder.hpp"
#include "unit/archive/archive_maker.hpp"

#include <hks/build/build_service.hpp>
#include <hks/secrets/secret_store.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

namespace hks::build::test {

namespace fs = std::filesystem;
using hks::test::take;
using Files = std::map<std::string, std::string>;

class ScriptedBackend;

class ScriptedInstance final : public runtime::Instance {
  public:
    ScriptedInstance(boost::asio::io_context& loop, runtime::InstanceListener& listener,
                     std::atomic<int>& alive)
        : loop_(loop), listener_(listener), alive_(alive) {
        ++alive_;
    }
    ~ScriptedInstance() override { --alive_; }

    void send(Call&) override {}
    void cancel(Call&) override {}
    void consumed(Call&, size_t) override {}
    void drain(milliseconds) override {}
    void kill(const std::string& reason) override {
        later([this, reason] {
            runtime::ExitInfo why;
            why.reason = reason;
            why.asked = true;
            listener_.on_gone(*this, why, {}, {});
        });
    }
    bool has_started(const Call&) const override { return false; }
    size_t outstanding() const override { return 0; }
    uint64_t serial() const override { return 1; }
    int pid() const override { return 0; }

    /// Unless the instance is gone by then.
    void later(std::function<void()> what) {
        boost::asio::post(loop_, [alive = std::weak_ptr<bool>(token_), what = std::move(what)] {
            if (alive.lock()) what();
        });
    }

  private:
    boost::asio::io_context& loop_;
    runtime::InstanceListener& listener_;
    std::atomic<int>& alive_;
    std::shared_ptr<bool> token_ = std::make_shared<bool>(true);
};

class ScriptedBackend final : public runtime::RuntimeBackend {
  public:
    explicit ScriptedBackend(boost::asio::io_context& loop) : loop_(loop) {}

    Result<std::unique_ptr<runtime::Instance>> start(const runtime::LaunchSpec& spec,
                                                     runtime::InstanceListener& listener) override {
        ++starts;
        {
            std::lock_guard lock(mutex);
            last = spec;
            last_mode = static_cast<unsigned>(fs::status(spec.bundle_path).permissions());
        }
        const std::string plot = hks::test::read_file(fs::path(spec.bundle_path) / "load");
        if (plot == "refuse") return Error(Errc::provider_error, "no room for a process");
        auto instance = std::make_unique<ScriptedInstance>(loop_, listener, alive);
        ScriptedInstance* it = instance.get();
        if (plot == "hang") return std::unique_ptr<runtime::Instance>(std::move(instance));
        it->later([it, plot, spec, &listener] { play(*it, plot, spec, listener); });
        return std::unique_ptr<runtime::Instance>(std::move(instance));
    }
    void prepare(const Version&) override {}
    std::string capabilities_json() const override { return "{}"; }
    void stop(std::function<void()> done) override { done(); }

    std::atomic<int> starts{0}, alive{0};
    std::mutex mutex;
    runtime::LaunchSpec last;
    unsigned last_mode = 0;

  private:
    static void play(ScriptedInstance& instance, const std::string& plot, const runtime::LaunchSpec& spec,
                     runtime::InstanceListener& listener) {
        if (plot == "throw") {
            runtime::ExitInfo why;
            why.type = "ModuleNotFoundError";
            why.message = "No module named 'nosuch'";
            why.stack =
                "Traceback (most recent call last):\n  File \"function.py\", line 1\n"
                "ModuleNotFoundError: No module named 'nosuch'";
            return listener.on_start_failed(instance, why);
        }
        FunctionLogRecord line;
        line.message = "printed while loading\nin two lines";
        spec.logs->write(line);
        const std::string handler = spec.version->spec.handler;
        listener.on_ready(instance, {handler.empty() ? "function.handle" : handler, "sync", false});
    }

    boost::asio::io_context& loop_;
};

class BuildWorld {
  public:
    BuildWorld() {
        take(registry.open());
        take(artifacts.open());
        take(secrets.open(std::string(32, 'k')));
        restart();
        thread_ = std::thread([this] { loop.run(); });
    }
    ~BuildWorld() {
        service->stop();
        guard_.reset();
        loop.stop();
        thread_.join();
        service.reset();
    }

    void restart() {
        if (service) service->stop();
        BuildOptions options;
        options.work_dir = folder.file("build");
        options.timeout = timeout;
        options.parallel = parallel;
        options.max_bundle_bytes = max_bundle_bytes;
        service = std::make_unique<BuildService>(loop, options, registry, artifacts, *log_database, runtimes,
                                                 backend, secrets, logger, metrics);
        take(service->open());
    }

    static std::string archive(const Files& files) {
        hks::archive::test::ArchiveMaker maker(hks::archive::test::Format::tar_gz);
        for (const auto& [name, text] : files) maker.file(name, text);
        return maker.bytes();
    }

    static FunctionSpec spec(const std::string& runtime) {
        FunctionSpec out;
        if (!runtime.empty()) out.runtime = take(parse_runtime(runtime));
        return out;
    }

    registry::VersionRecord begin(const FunctionSpec& spec) {
        registry::NewVersion wanted;
        wanted.spec = spec;
        const bool first = !registry.get("default", "hello").has_value();
        auto made = first ? take(registry.create("default", "hello", wanted))
                          : take(registry.add_version("default", "hello", wanted));
        function = made.first;
        return made.second;
    }
    registry::VersionRecord start(const FunctionSpec& spec, BuildSource source) {
        auto version = begin(spec);
        service->enqueue(function, version, std::move(source));
        return version;
    }
    registry::VersionRecord start(const FunctionSpec& spec, const Files& files) {
        BuildSource source;
        source.archive = archive(files);
        return start(spec, std::move(source));
    }
    /// The version as it is after its build.
    registry::VersionRecord wait(const registry::VersionRecord& version) {
        for (int i = 0; i < 12'000; ++i) {
            bool finished = false;
            take(service->log(version.key, -1, finished));
            if (finished) return take(registry.version("default", "hello", version.number));
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        FAIL("the build does not end");
        return version;
    }
    template <class Source>
    registry::VersionRecord build(const FunctionSpec& spec, Source source) {
        return wait(start(spec, std::move(source)));
    }
    std::string log(const registry::VersionRecord& version) {
        bool finished = false;
        std::string out;
        for (const auto& line : take(service->log(version.key, -1, finished))) out += line.text + "\n";
        return out;
    }
    /// Folders of builds that should be gone.
    size_t leftovers() {
        size_t count = 0;
        for (const auto& entry : fs::directory_iterator(folder.path() / "bundles"))
            count += entry.path().filename().string().starts_with("tmp-");
        for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder.path() / "build/tmp"))
            ++count;
        return count;
    }
    fs::path bundle(const registry::VersionRecord& version) { return artifacts.path(version.digest); }

    hks::test::TemporaryFolder folder;
    milliseconds timeout{300'000};
    size_t parallel = 2;
    uint64_t max_bundle_bytes = 512ull << 20;
    boost::asio::io_context loop;
    SystemClock clock;
    telemetry::Logger logger{telemetry::Level::off, telemetry::Format::text};
    telemetry::MetricsRegistry metrics;
    std::unique_ptr<storage::Database> database =
        take(storage::Database::open(folder.file("registry.db"), storage::Durability::full));
    std::unique_ptr<storage::Database> log_database =
        take(storage::Database::open(folder.file("logs.db"), storage::Durability::normal));
    registry::FunctionRegistry registry{*database, clock, logger};
    storage::ArtifactStore artifacts{folder.path() / "bundles"};
    secrets::SecretStore secrets{*database, clock};
    runtime::RuntimeTable runtimes = runtime::RuntimeTable::discover(-1);
    ScriptedBackend backend{loop};
    std::unique_ptr<BuildService> service;
    registry::FunctionRecord function;

  private:
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{loop.get_executor()};
    std::thread thread_;
};

}  // namespace hks::build::test
