// SPDX-License-Identifier: Apache-2.0
#include "integration/runtime/backend_fixture.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>

namespace hks::runtime::test {

const RuntimeTable& host_runtimes() {
    static const RuntimeTable table = RuntimeTable::discover(function_uid({}));
    return table;
}

Backend::Backend(const ProcessBackendOptions& more)
    : logger(
          telemetry::Level::debug, telemetry::Format::text,
          [](void* text, std::string_view line) { static_cast<std::string*>(text)->append(line); },
          &server_log),
      options(more) {
    spawner = Spawner::fork().value();
    char name[] = "/tmp/hks-runtime-XXXXXX";
    folder = ::mkdtemp(name);
    std::filesystem::permissions(folder, std::filesystem::perms(0700));
    options.data_dir = folder / "data";
    options.bundles = folder / "bundles";
    std::filesystem::create_directories(options.data_dir);
    std::filesystem::create_directories(options.bundles);
    backend = std::make_unique<ProcessBackend>(loop, options, *spawner, host_runtimes(), logs, clock, logger,
                                               metrics);
    const auto opened = backend->open();
    if (!opened) FAIL(opened.error().message);
}

Backend::~Backend() {
    backend.reset();
    spawner.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
}

std::shared_ptr<Version> Backend::version(const std::string& language,
                                          const std::map<std::string, std::string>& files,
                                          const std::string& handler) {
    auto made = std::make_shared<Version>();
    made->key = ++bundles_;
    made->number = bundles_;
    made->function = "hello";
    made->workspace = "default";
    made->spec.runtime.name = language;
    made->spec.handler = handler;
    made->digest = "bundle" + std::to_string(bundles_);
    const auto bundle = std::filesystem::path(options.bundles) / made->digest;
    for (const auto& [name, text] : files) {
        std::filesystem::create_directories((bundle / name).parent_path());
        std::ofstream(bundle / name) << text;
    }
    return made;
}

std::unique_ptr<Instance> Backend::start(const std::shared_ptr<Version>& version, TestListener& listener,
                                         std::vector<std::pair<std::string, std::string>> environment) {
    LaunchSpec spec;
    spec.version = version;
    spec.environment = std::move(environment);
    auto started = backend->start(spec, listener);
    if (!started) FAIL(started.error().message);
    return std::move(*started);
}

std::unique_ptr<Instance> Backend::ready(const std::shared_ptr<Version>& version, TestListener& listener) {
    auto instance = start(version, listener);
    run_until([&] { return listener.ready || listener.failed; });
    if (listener.failed) FAIL(listener.failed->reason + "\n" + listener.failed->stack + server_log);
    if (!listener.ready) FAIL("never ready\n" + server_log);
    return instance;
}

std::string Backend::call(Instance& instance, const std::string& body) {
    TestCall call(body);
    instance.send(call);
    if (!run_until([&] { return call.ended; })) FAIL("no answer\n" + server_log);
    if (call.failure) return "failed: " + call.failure->type + ": " + call.failure->exception_message;
    return call.answer;
}

void Backend::stop() {
    bool stopped = false;
    backend->stop([&] { stopped = true; });
    if (!run_until([&] { return stopped; })) FAIL("did not stop");
}

std::vector<int> descendants_of(int root_pid) {
    std::vector<int> pids{root_pid};
    for (size_t i = 0; i < pids.size(); i++) {
        const std::string task = std::to_string(pids[i]);
        std::ifstream children("/proc/" + task + "/task/" + task + "/children");
        for (int pid = 0; children >> pid;) pids.push_back(pid);
    }
    pids.erase(pids.begin());
    return pids;
}

bool process_exists(int pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(stat, text);
    // A zombie waits for a parent that is not ours.
    return !text.empty() && text.find(") Z ") == std::string::npos;
}

bool is_root() {
    return ::geteuid() == 0;
}

}  // namespace hks::runtime::test
