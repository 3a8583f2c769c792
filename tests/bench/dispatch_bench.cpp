// SPDX-License-Identifier: Apache-2.0
// What the platform itself costs a call between the parsed request and the frame to the worker, and back:
// gateway and dispatcher with an instance that answers at once. Built with -DHKS_BENCH=ON; prints nanoseconds
// a call.
#include <hks/auth/auth.hpp>
#include <hks/dispatch/dispatcher.hpp>
#include <hks/gateway/gateway.hpp>
#include <hks/secrets/secret_store.hpp>
#include <hks/storage/database.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>
#include <support/fake_backend.hpp>
#include <support/temporary_folder.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using namespace hks;

class BenchExchange final : public net::HttpExchange {
  public:
    BenchExchange() {
        request_.method = "GET";
        request_.target = request_.raw_path = request_.path = "/functions/hello";
        request_.headers = headers_;
        request_.remote_address = "127.0.0.1";
    }
    const net::HttpRequest& request() const override { return request_; }
    void respond(int, std::string_view headers, std::string_view body) override {
        bytes += headers.size() + body.size();
    }
    void respond_head(int, std::string_view headers, uint64_t) override { bytes += headers.size(); }
    void begin(int, std::string_view) override {}
    size_t write(std::string_view) override { return 0; }
    void finish() override {}
    void abort() override {}
    void set_on_drained(std::function<void()>) override {}
    void set_on_closed(std::function<void()> callback) override { on_closed_ = std::move(callback); }
    size_t bytes = 0;

  private:
    static constexpr Header headers_[] = {{"host", "127.0.0.1:8080"}, {"user-agent", "bench"},
                                          {"accept", "*/*"},          {"accept-encoding", "gzip"},
                                          {"x-request-id", "1"},      {"content-type", "application/json"}};
    net::HttpRequest request_;
    std::function<void()> on_closed_;
};

class NoLogs final : public FunctionLogSink {
    void write(FunctionLogRecord) override {}
};

void measure(gateway::Gateway& gateway, test::FakeBackend& backend, size_t connections, size_t calls) {
    std::vector<BenchExchange> exchanges(connections);
    const auto began = std::chrono::steady_clock::now();
    for (size_t done = 0; done < calls; done += connections) {
        for (auto& exchange : exchanges) {
            size_t limit = 0;
            bool answered = false;
            gateway.on_head(exchange, limit, answered);
            gateway.on_request(exchange);
        }
        for (test::FakeInstance* instance : backend.live) {
            while (!instance->sent.empty())
                instance->answer(0, 200, "content-type: text/plain; charset=utf-8\n", "hello");
        }
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
    std::printf("%3zu connections: %6.0f ns a call\n", connections,
                took.count() / static_cast<double>(calls));
}

}  // namespace

int main(int argc, char** argv) {
    const size_t calls = argc > 1 ? static_cast<size_t>(std::atoll(argv[1])) : 1'000'000;
    test::TemporaryFolder folder;
    SystemClock clock;
    telemetry::Logger logger(telemetry::Level::off, telemetry::Format::text);
    telemetry::MetricsRegistry metrics;
    auto database = storage::Database::open(folder.file("registry.db"), storage::Durability::normal);
    if (!database) return 1;
    secrets::SecretStore secrets(**database, clock);
    auth::ApiKeyStore keys(**database, clock);
    if (!keys.open()) return 1;
    boost::asio::io_context loop;
    registry::CatalogWatch catalog;
    test::FakeBackend backend;
    NoLogs logs;
    dispatch::Dispatcher dispatcher(loop, {}, backend, catalog, secrets, logs, clock, logger, metrics);
    gateway::Gateway gateway(loop, {}, catalog, dispatcher, keys, clock, logger, metrics);

    auto version = std::make_shared<Version>();
    version->key = version->number = 1;
    version->function = "hello";
    version->workspace = "default";
    version->spec.scaling.min_scale = 1;
    version->spec.scaling.max_scale = 1;
    auto entry = std::make_shared<registry::FunctionEntry>();
    entry->name = "hello";
    entry->workspace = "default";
    entry->active = entry->versions[1] = version;
    entry->triggers.push_back({"trg_1", TriggerSpec{}});
    entry->triggers[0].spec.name = "http";
    auto snapshot = std::make_shared<registry::Catalog>();
    snapshot->functions["default/hello"] = entry;
    catalog.set(snapshot);
    dispatcher.start();
    gateway.start();
    backend.at(0).become_ready();

    measure(gateway, backend, 1, calls / 10);
    for (size_t connections : {1u, 16u, 64u}) measure(gateway, backend, connections, calls);
    return 0;
}
