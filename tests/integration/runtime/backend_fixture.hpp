// SPDX-License-Identifier: Apache-2.0
#pragma once
// A real ProcessBackend with real interpreters in a temporary data directory, driven by hand.

#include <hks/runtime/process_backend.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

namespace hks::runtime::test {

class RecordingSink : public FunctionLogSink {
  public:
    void write(FunctionLogRecord record) override { records.push_back(std::move(record)); }
    const FunctionLogRecord* find(const std::string& part) const {
        for (const auto& record : records)
            if (record.message.find(part) != std::string::npos) return &record;
        return nullptr;
    }
    std::vector<FunctionLogRecord> records;
};

class TestCall : public Call {
  public:
    explicit TestCall(std::string body_text = "{}", std::string path_text = "/")
        : body_(std::move(body_text)), path_(std::move(path_text)) {
        id = InvocationId::generate();
        request.method = "POST";
        request.path = request.original_path = path_;
        request.source_ip = "127.0.0.1";
        request.body = body_;
    }
    void on_response(int response_status, std::string_view headers, std::string_view body,
                     bool end) override {
        status = response_status;
        header_lines = headers;
        answer += body;
        ended = end;
    }
    void on_chunk(std::string_view body, bool end) override {
        chunks++;
        answer += body;
        ended = end;
    }
    void on_failed(const CallFailure& why) override {
        failure = why;
        ended = true;
    }

    int status = 0, chunks = 0;
    std::string header_lines, answer;
    std::optional<CallFailure> failure;
    bool ended = false;

  private:
    std::string body_, path_;
};

class TestListener : public InstanceListener {
  public:
    void on_ready(Instance&, const ReadyInfo& info) override { ready = info; }
    void on_start_failed(Instance&, const ExitInfo& why) override { failed = why; }
    void on_slot_free(Instance&) override { slots_freed++; }
    void on_gone(Instance&, const ExitInfo& why, std::span<Call* const> s,
                 std::span<Call* const> u) override {
        gone = why;
        started.assign(s.begin(), s.end());
        unstarted.assign(u.begin(), u.end());
    }
    std::optional<ReadyInfo> ready;
    std::optional<ExitInfo> failed, gone;
    std::vector<Call*> started, unstarted;
    int slots_freed = 0;
};

/// The host's interpreters as functions of this process may use them; looked up once.
const RuntimeTable& host_runtimes();

class Backend {
  public:
    explicit Backend(const ProcessBackendOptions& more = {});
    ~Backend();

    /// A bundle with these files; returns its version, whose digest names the folder.
    std::shared_ptr<Version> version(const std::string& language,
                                     const std::map<std::string, std::string>& files,
                                     const std::string& handler = "");
    std::unique_ptr<Instance> start(const std::shared_ptr<Version>& version, TestListener& listener,
                                    std::vector<std::pair<std::string, std::string>> environment = {});
    /// start() and wait until it is ready or failed.
    std::unique_ptr<Instance> ready(const std::shared_ptr<Version>& version, TestListener& listener);
    /// Sends one call and waits for its end; returns the answer's body.
    std::string call(Instance& instance, const std::string& body = "{}");

    template <class Condition>
    bool run_until(Condition condition, milliseconds limit = milliseconds(15'000)) {
        const auto until = std::chrono::steady_clock::now() + limit;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > until) return false;
            loop.run_for(milliseconds(5));
            loop.restart();
        }
        return true;
    }
    void stop();

    std::filesystem::path folder;
    boost::asio::io_context loop{1};
    SystemClock clock;
    std::string server_log;
    telemetry::Logger logger;
    telemetry::MetricsRegistry metrics;
    RecordingSink logs;
    ProcessBackendOptions options;
    std::unique_ptr<Spawner> spawner;
    std::unique_ptr<ProcessBackend> backend;

  private:
    int bundles_ = 0;
};

/// Every process on this host whose command line or name says it is one of ours, below `root_pid`.
std::vector<int> descendants_of(int root_pid);
bool process_exists(int pid);
bool is_root();

}  // namespace hks::runtime::test
