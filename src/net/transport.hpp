// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bytes of one accepted connection: plain (recv and sendmsg on the socket) or TLS (OpenSSL on the same
// socket). Never blocks. Owns the descriptor. Loop thread.

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <span>
#include <sys/uio.h>

namespace hks::net {

struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

enum class IoStatus { ok, would_block, closed };

struct IoResult {
    IoStatus status = IoStatus::ok;
    size_t bytes = 0;
};

class Transport {
  public:
    Transport(int fd, SslPtr ssl) : fd_(fd), ssl_(std::move(ssl)) {}
    ~Transport() { close(); }
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    /// TLS: goes on with the handshake; ok when it is complete. Plain: ok.
    IoStatus handshake();
    IoResult read(char* data, size_t size);
    /// Sends what the socket takes of `parts`; ok with fewer bytes than given when it is full.
    IoResult write(std::span<const iovec> parts);
    /// No more bytes will follow; the peer sees the end of stream.
    void shutdown_write();
    /// close() will reset the connection, so that the peer cannot take it for an orderly end.
    void reset_on_close();
    void close();

    void use_tls(SslPtr ssl) { ssl_ = std::move(ssl); }
    int descriptor() const { return fd_; }
    bool is_tls() const { return ssl_ != nullptr; }
    /// Plain: fewer bytes than asked for mean that the socket is drained until the next event. TLS: read on.
    bool short_read_means_drained() const { return ssl_ == nullptr; }

  private:
    IoResult tls_failure(int result);

    int fd_;
    SslPtr ssl_;
};

}  // namespace hks::net
