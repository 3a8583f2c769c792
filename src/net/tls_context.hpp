// SPDX-License-Identifier: Apache-2.0
#pragma once
// Certificate, key and protocol settings of a TLS listener: TLS 1.2 or newer, ALPN http/1.1. Made once, loop
// thread.

#include "net/transport.hpp"

#include <hks/core/error.hpp>
#include <hks/net/http_server.hpp>

#include <memory>

namespace hks::net {

class TlsContext {
  public:
    static Result<std::unique_ptr<TlsContext>> load(const TlsFiles& files);

    /// A server session on `fd`; null when memory is out.
    SslPtr make_session(int fd) const;

  private:
    struct ContextFree {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };
    std::unique_ptr<SSL_CTX, ContextFree> context_;
};

}  // namespace hks::net
