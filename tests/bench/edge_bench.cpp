// SPDX-License-Identifier: Apache-2.0
// The HTTP edge alone: answers "hello" to everything, at once, on one loop thread. Built with -DHKS_BENCH=ON.
// edge_bench [PORT]; compare with a web server that returns a constant, load generator on another core.
#include <hks/net/http_server.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <boost/asio/signal_set.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

class HelloHandler final : public hks::net::HttpHandler {
  public:
    size_t on_head(hks::net::HttpExchange&) override { return 1 << 20; }
    void on_request(hks::net::HttpExchange& exchange) override {
        exchange.respond(200, "Content-Type: text/plain\r\n", "hello");
    }
};

}  // namespace

int main(int argc, char** argv) {
    boost::asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO);
    hks::telemetry::Logger logger(hks::telemetry::Level::info, hks::telemetry::Format::text);
    hks::telemetry::MetricsRegistry metrics;
    HelloHandler handler;
    hks::net::HttpServerOptions options;
    options.port = static_cast<uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
    if (argc > 3) options.tls = {argv[2], argv[3]};
    hks::net::HttpServer server(loop, options, handler, logger, metrics);
    if (auto started = server.start(); !started) {
        std::fprintf(stderr, "%s\n", started.error().message.c_str());
        return 1;
    }
    std::printf("port %u\n", server.local_port());
    std::fflush(stdout);
    boost::asio::signal_set signals(loop, SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code&, int) { server.stop([] {}); });
    loop.run();
}
