// SPDX-License-Identifier: Apache-2.0
#include "net/edge.hpp"

namespace hks::net {

namespace {

constexpr size_t largest_spare = 256 * 1024;

}  // namespace

EdgeMetrics::EdgeMetrics(telemetry::MetricsRegistry& registry)
    : open_connections(registry.gauge("hks_edge_connections", "Open client connections.")),
      received_bytes(registry.counter("hks_edge_received_bytes_total", "Bytes read from clients.")),
      sent_bytes(registry.counter("hks_edge_sent_bytes_total", "Bytes written to clients.")),
      registry_(registry) {}

void EdgeMetrics::refused(int status) {
    telemetry::Counter*& series = refused_[status];
    if (series == nullptr)
        series = &registry_.counter("hks_edge_refused_total", "Requests refused before any handler saw them.",
                                    {{"status", std::to_string(status)}});
    series->add();
}

void SpareBuffers::lend(Buffer& to) {
    if (count_ > 0 && to.capacity() == 0) to.swap(buffers_[--count_]);
}

void SpareBuffers::take_back(Buffer& from) {
    from.clear();
    if (from.capacity() > 0 && from.capacity() <= largest_spare && count_ < buffers_.size())
        from.swap(buffers_[count_++]);
    from.release();
}

}  // namespace hks::net
