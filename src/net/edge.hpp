// SPDX-License-Identifier: Apache-2.0
#pragma once
// What all connections of one server share. Owned by HttpServer::Impl, outlives every connection. Loop
// thread.

#include "net/answer_head.hpp"
#include "net/buffer.hpp"
#include "net/deadlines.hpp"

#include <hks/net/http_server.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <map>
#include <vector>

namespace hks::net {

class Connection;

class EdgeMetrics {
  public:
    explicit EdgeMetrics(telemetry::MetricsRegistry& registry);
    void refused(int status);

    telemetry::Gauge& open_connections;
    telemetry::Counter& received_bytes;
    telemetry::Counter& sent_bytes;

  private:
    telemetry::MetricsRegistry& registry_;
    std::map<int, telemetry::Counter*> refused_;
};

/// Big buffers go from connection to connection, so that an idle one holds none and a busy one allocates
/// none.
class SpareBuffers {
  public:
    void lend(Buffer& to);
    void take_back(Buffer& from);

  private:
    std::vector<Buffer> buffers_ = std::vector<Buffer>(16);
    size_t count_ = 0;
};

class Edge {
  public:
    Edge(boost::asio::io_context& loop, const HttpLimits& edge_limits, HttpHandler& edge_handler,
         telemetry::Logger& edge_logger, telemetry::MetricsRegistry& registry,
         std::function<void(WatchHook&, Watch)> on_expired)
        : limits(edge_limits),
          handler(edge_handler),
          logger(edge_logger),
          metrics(registry),
          deadlines(loop, std::move(on_expired)) {}

    /// The connection's on_turn_end() is called when this turn of the loop is over.
    virtual void call_at_turn_end(Connection& connection) = 0;
    /// The connection is deleted when this turn of the loop is over.
    virtual void retire(Connection& connection) = 0;

    const HttpLimits& limits;
    HttpHandler& handler;
    telemetry::Logger& logger;
    EdgeMetrics metrics;
    Deadlines deadlines;
    DateLine date;
    Buffer scratch;  ///< for what is made and sent within one call
    SpareBuffers spare;
    bool stopping = false;

  protected:
    ~Edge() = default;
};

}  // namespace hks::net
