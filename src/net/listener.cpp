// SPDX-License-Identifier: Apache-2.0
#include "net/listener.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hks::net {

namespace {

constexpr int accepts_per_event = 64;
constexpr std::chrono::milliseconds rest_after_failure{100};

struct AddressFree {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

std::string to_text(const sockaddr_storage& address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address.ss_family == AF_INET) {
        ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
    } else if (address.ss_family == AF_INET6) {
        const in6_addr& ip = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&ip))
            ::inet_ntop(AF_INET, ip.s6_addr + 12, text, sizeof text);
        else
            ::inet_ntop(AF_INET6, &ip, text, sizeof text);
    }
    return text;
}

int open_reserve() {
    return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

uint16_t port_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                               : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

}  // namespace

Listener::Listener(boost::asio::io_context& loop, Poller& poller, telemetry::Logger& logger,
                   OnAccepted on_accepted)
    : poller_(poller), logger_(logger), on_accepted_(std::move(on_accepted)), rest_(loop) {}

Listener::~Listener() {
    if (fd_ >= 0) ::close(fd_);
    if (reserve_ >= 0) ::close(reserve_);
}

Result<void> Listener::start(const std::string& address, uint16_t port, int backlog) {
    const std::string where = address + " port " + std::to_string(port);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (const int code = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
        code != 0)
        return Error{Errc::validation_error, "The address " + address + " cannot be listened on (" +
                                                 ::gai_strerror(code) +
                                                 "). Give an address of this machine."};
    const std::unique_ptr<addrinfo, AddressFree> list(found);
    fd_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    if (fd_ >= 0) {
        ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        // Accepted sockets inherit it: no system call a connection.
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (fd_ < 0 || ::bind(fd_, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd_, backlog) != 0 ||
        !poller_.add(fd_, EPOLLIN, *this)) {
        const int reason = errno;
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
        const char* advice = reason == EADDRINUSE
                                 ? "). Stop the program that uses it, or choose another port."
                                 : "). Choose another address or port.";
        return Error{Errc::unavailable,
                     "Listening on " + where + " failed (" + std::strerror(reason) + advice};
    }
    port_ = port_of(fd_);
    reserve_ = open_reserve();
    return {};
}

void Listener::stop() {
    rest_.cancel();
    if (fd_ < 0) return;
    while (accept_one()) {
    }
    ::close(fd_);
    fd_ = -1;
}

void Listener::on_poll(uint32_t) {
    for (int i = 0; i < accepts_per_event && fd_ >= 0; ++i)
        if (!accept_one()) return;
}

bool Listener::accept_one() {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const int client =
        ::accept4(fd_, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client >= 0) {
        complained_ = false;
        on_accepted_(client, to_text(address));
        return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    // These are the fate of one connection, not of the socket.
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == EPERM) return true;
    on_exhausted(errno);
    return false;
}

void Listener::on_exhausted(int reason) {
    if (!complained_)
        logger_.warn("connections cannot be accepted for now; raise the limit of open files",
                     {{"reason", std::strerror(reason)}});
    complained_ = true;
    if ((reason == EMFILE || reason == ENFILE) && reserve_ >= 0) {
        // The oldest waiting client learns at once that it will not be served.
        ::close(reserve_);
        const int client = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client >= 0) ::close(client);
        reserve_ = open_reserve();
    }
    poller_.change(fd_, 0, *this);
    rest_.expires_after(rest_after_failure);
    rest_.async_wait([this](const boost::system::error_code& error) {
        if (error || fd_ < 0) return;
        if (reserve_ < 0) reserve_ = open_reserve();
        poller_.change(fd_, EPOLLIN, *this);
    });
}

}  // namespace hks::net
