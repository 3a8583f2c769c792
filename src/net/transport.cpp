// SPDX-License-Identifier: Apache-2.0
#include "net/transport.hpp"

#include <climits>
#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

namespace hks::net {

namespace {

IoResult socket_failure() {
    return {errno == EAGAIN || errno == EWOULDBLOCK ? IoStatus::would_block : IoStatus::closed, 0};
}

}  // namespace

IoResult Transport::tls_failure(int result) {
    const int reason = SSL_get_error(ssl_.get(), result);
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) return {IoStatus::would_block, 0};
    return {IoStatus::closed, 0};
}

IoStatus Transport::handshake() {
    if (!ssl_ || SSL_is_init_finished(ssl_.get())) return IoStatus::ok;
    // What another connection left in this thread's error queue would be read as the reason of this one.
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    return result == 1 ? IoStatus::ok : tls_failure(result).status;
}

IoResult Transport::read(char* data, size_t size) {
    if (ssl_) {
        ERR_clear_error();
        size_t bytes = 0;
        const int result = SSL_read_ex(ssl_.get(), data, size, &bytes);
        return result == 1 ? IoResult{IoStatus::ok, bytes} : tls_failure(result);
    }
    ssize_t bytes;
    do bytes = ::recv(fd_, data, size, 0);
    while (bytes < 0 && errno == EINTR);
    if (bytes > 0) return {IoStatus::ok, static_cast<size_t>(bytes)};
    return bytes == 0 ? IoResult{IoStatus::closed, 0} : socket_failure();
}

IoResult Transport::write(std::span<const iovec> parts) {
    if (ssl_) {
        IoResult total;
        for (const iovec& part : parts) {
            size_t done = 0;
            while (done < part.iov_len) {
                ERR_clear_error();
                size_t bytes = 0;
                const int result = SSL_write_ex(ssl_.get(), static_cast<const char*>(part.iov_base) + done,
                                                part.iov_len - done, &bytes);
                if (result != 1) {
                    const IoStatus status = tls_failure(result).status;
                    if (status == IoStatus::closed) return {status, 0};
                    return total;
                }
                done += bytes;
                total.bytes += bytes;
            }
        }
        return total;
    }
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts.data());
    message.msg_iovlen = parts.size();
    ssize_t bytes;
    do
        bytes = parts.size() == 1 ? ::send(fd_, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                                  : ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    while (bytes < 0 && errno == EINTR);
    if (bytes >= 0) return {IoStatus::ok, static_cast<size_t>(bytes)};
    const IoResult failure = socket_failure();
    return failure.status == IoStatus::would_block ? IoResult{IoStatus::ok, 0} : failure;
}

void Transport::shutdown_write() {
    if (ssl_) {
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
    }
    ::shutdown(fd_, SHUT_WR);
}

void Transport::reset_on_close() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void Transport::close() {
    ssl_.reset();
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

}  // namespace hks::net
