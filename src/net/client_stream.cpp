// SPDX-License-Identifier: Apache-2.0
#include "net/client_stream.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hks::net {

namespace {

struct AddressFree {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

bool is_address(const std::string& host) {
    in6_addr ignored;
    return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

std::string tls_reason(SSL* ssl) {
    const long verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK)
        return std::string("its certificate is not trusted: ") + X509_verify_cert_error_string(verified);
    char reason[256] = "the TLS handshake failed";
    if (const unsigned long code = ERR_get_error(); code != 0)
        ERR_error_string_n(code, reason, sizeof reason);
    return reason;
}

std::optional<std::chrono::steady_clock::time_point> deadline_after(std::chrono::milliseconds silence) {
    if (silence.count() <= 0) return std::nullopt;
    return std::chrono::steady_clock::now() + silence;
}

}  // namespace

Error ClientStream::unreachable(const std::string& reason) const {
    return Error{Errc::unavailable, "The server at " + where_ + " cannot be reached (" + reason +
                                        "). Check that it runs and the address is right."};
}

Result<std::unique_ptr<ClientStream>> ClientStream::connect(const Url& url,
                                                            std::chrono::milliseconds timeout) {
    const bool ipv6 = url.host.find(':') != std::string::npos;
    std::unique_ptr<ClientStream> stream(new ClientStream(
        url.scheme + "://" + (ipv6 ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port)));
    const TimePoint deadline = std::chrono::steady_clock::now() + timeout;
    if (auto opened = stream->open(url, deadline); !opened) return opened.error();
    if (url.scheme == "https")
        if (auto secured = stream->start_tls(url, deadline); !secured) return secured.error();
    return stream;
}

Result<void> ClientStream::open(const Url& url, TimePoint deadline) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (const int code = ::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
        code != 0)
        return unreachable(::gai_strerror(code));
    const std::unique_ptr<addrinfo, AddressFree> list(found);
    std::string reason = "no address";
    for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
        const int fd = ::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            reason = std::strerror(errno);
            continue;
        }
        transport_ = std::make_unique<Transport>(fd, nullptr);
        int failure = ::connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
        if (failure == EINPROGRESS) {
            if (auto waited = wait(POLLOUT, deadline); !waited) return waited.error();
            socklen_t size = sizeof failure;
            ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size);
        }
        if (failure == 0) {
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return {};
        }
        reason = std::strerror(failure);
    }
    transport_.reset();
    return unreachable(reason);
}

Result<void> ClientStream::start_tls(const Url& url, TimePoint deadline) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    ERR_clear_error();
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (!context_ || SSL_CTX_set_default_verify_paths(context_.get()) != 1)
        return unreachable("TLS cannot be set up here");
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SslPtr ssl(SSL_new(context_.get()));
    if (!ssl || SSL_set_fd(ssl.get(), transport_->descriptor()) != 1)
        return unreachable("TLS cannot be set up here");
    if (is_address(url.host)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), url.host.c_str());
    } else {
        SSL_set_tlsext_host_name(ssl.get(), url.host.c_str());
        SSL_set1_host(ssl.get(), url.host.c_str());
    }
    SSL_set_connect_state(ssl.get());
    SSL* session = ssl.get();
    transport_->use_tls(std::move(ssl));
    for (;;) {
        const IoStatus status = transport_->handshake();
        if (status == IoStatus::ok) return {};
        if (status == IoStatus::closed) return unreachable(tls_reason(session));
        const short events = SSL_want_write(session) ? POLLOUT : POLLIN;
        if (auto waited = wait(events, deadline); !waited) return waited.error();
    }
}

Result<void> ClientStream::wait(short events, std::optional<TimePoint> deadline) const {
    int timeout = -1;
    if (deadline) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(*deadline - std::chrono::steady_clock::now());
        timeout = static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1'000'000'000));
    }
    pollfd poll{transport_->descriptor(), events, 0};
    const int ready = ::poll(&poll, 1, timeout);
    if (ready > 0) return {};
    if (ready == 0) return unreachable("it did not answer in time");
    return Error{Errc::unavailable, errno == EINTR
                                        ? "The request was interrupted. Start it again."
                                        : "Waiting for " + where_ + " failed. Start the request again."};
}

Result<void> ClientStream::write_all(std::string_view bytes, std::chrono::milliseconds silence) {
    while (!bytes.empty()) {
        const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
        const IoResult result = transport_->write({&part, 1});
        if (result.status == IoStatus::closed) return unreachable("it closed the connection");
        bytes.remove_prefix(result.bytes);
        if (result.bytes == 0)
            if (auto waited = wait(POLLOUT, deadline_after(silence)); !waited) return waited.error();
    }
    return {};
}

Result<size_t> ClientStream::read(char* data, size_t size, std::chrono::milliseconds silence) {
    const auto deadline = deadline_after(silence);
    for (;;) {
        const IoResult result = transport_->read(data, size);
        if (result.status == IoStatus::ok) return result.bytes;
        if (result.status == IoStatus::closed) return size_t{0};
        if (auto waited = wait(POLLIN, deadline); !waited) return waited.error();
    }
}

}  // namespace hks::net
