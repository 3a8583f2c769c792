// SPDX-License-Identifier: Apache-2.0
#pragma once
// A blocking connection of the client, plain or TLS with verification, every wait bounded and ended by a
// signal. One thread at a time.

#include "net/transport.hpp"

#include <hks/core/error.hpp>
#include <hks/net/http_client.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

namespace hks::net {

class ClientStream {
  public:
    /// Errc::unavailable, with the address named, when the server cannot be reached in time.
    static Result<std::unique_ptr<ClientStream>> connect(const Url& url, std::chrono::milliseconds timeout);

    /// `silence`: how long nothing may move; 0 = any time.
    Result<void> write_all(std::string_view bytes, std::chrono::milliseconds silence);
    /// Number of bytes; 0 = end of the stream.
    Result<size_t> read(char* data, size_t size, std::chrono::milliseconds silence);

  private:
    using TimePoint = std::chrono::steady_clock::time_point;
    struct ContextFree {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };

    explicit ClientStream(std::string where) : where_(std::move(where)) {}
    Result<void> open(const Url& url, TimePoint deadline);
    Result<void> start_tls(const Url& url, TimePoint deadline);
    Result<void> wait(short events, std::optional<TimePoint> deadline) const;
    Error unreachable(const std::string& reason) const;

    std::string where_;  ///< scheme, host and port, for messages
    std::unique_ptr<SSL_CTX, ContextFree> context_;
    std::unique_ptr<Transport> transport_;
};

}  // namespace hks::net
