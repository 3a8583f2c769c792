// SPDX-License-Identifier: Apache-2.0
#include "net/connection.hpp"
#include "net/listener.hpp"
#include "net/tls_context.hpp"

#include <hks/net/http_server.hpp>

#include <boost/asio/post.hpp>
#include <boost/intrusive/list.hpp>

#include <csignal>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hks::net {

namespace {

constexpr milliseconds linger_time{1'000};
constexpr milliseconds stop_grace{500};  ///< for a connection that came in the moment of the stop
constexpr milliseconds body_window{5'000};

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
    for (const Header& header : headers)
        if (header.name == name) return header.value;
    return {};
}

class HttpServer::Impl final : public Edge, public std::enable_shared_from_this<Impl> {
  public:
    Impl(boost::asio::io_context& loop, HttpServerOptions options, HttpHandler& handler,
         telemetry::Logger& logger, telemetry::MetricsRegistry& metrics)
        : Edge(loop, options_.limits, handler, logger, metrics,
               [](WatchHook& hook, Watch kind) { static_cast<Connection&>(hook).on_expired(kind); }),
          loop_(loop),
          options_(std::move(options)),
          poller_(std::make_shared<Poller>(loop, [this] { end_turn(); })),
          listener_(loop, *poller_, logger,
                    [this](int fd, const std::string& remote) { on_accepted(fd, remote); }) {}

    Result<void> start();
    void stop(std::function<void()> done);
    void shut_down();
    uint16_t local_port() const { return listener_.port(); }
    size_t open_connections() const { return count_; }
    boost::asio::io_context& loop() { return loop_; }

    void call_at_turn_end(Connection& connection) override;
    void retire(Connection& connection) override;

  private:
    void on_accepted(int fd, const std::string& remote_address);
    void turn_away(int fd);
    void end_turn();
    void end_turn_soon();
    void finish_stop_when_empty();

    boost::asio::io_context& loop_;
    HttpServerOptions options_;
    std::shared_ptr<Poller> poller_;
    Listener listener_;
    std::unique_ptr<TlsContext> tls_;
    boost::intrusive::list<Connection, boost::intrusive::constant_time_size<false>> connections_;
    std::vector<Connection*> turn_end_;
    std::vector<Connection*> retired_;
    std::vector<std::function<void()>> on_stopped_;
    size_t count_ = 0;
    bool end_turn_posted_ = false;
    bool shut_down_ = false;
};

Result<void> HttpServer::Impl::start() {
    deadlines.set_duration(Watch::head, options_.limits.header_timeout);
    deadlines.set_duration(Watch::idle, options_.limits.idle_timeout);
    deadlines.set_duration(Watch::body, body_window);
    deadlines.set_duration(Watch::write, options_.limits.write_timeout);
    deadlines.set_duration(Watch::linger, linger_time);
    deadlines.set_duration(Watch::stop, stop_grace);
    if (!options_.tls.certificate.empty() || !options_.tls.key.empty()) {
        auto context = TlsContext::load(options_.tls);
        if (!context) return context.error();
        tls_ = std::move(*context);
        // OpenSSL writes without MSG_NOSIGNAL.
        std::signal(SIGPIPE, SIG_IGN);
    }
    if (auto started = poller_->start(); !started) return started.error();
    if (auto started = listener_.start(options_.address, options_.port, options_.backlog); !started) {
        shut_down();
        return started.error();
    }
    return {};
}

void HttpServer::Impl::on_accepted(int fd, const std::string& remote_address) {
    if (count_ >= options_.limits.max_connections) return turn_away(fd);
    SslPtr ssl;
    if (tls_) {
        ssl = tls_->make_session(fd);
        if (!ssl) {
            ::close(fd);
            return;
        }
    }
    auto* connection = new Connection(*this, fd, std::move(ssl), remote_address);
    if (!poller_->add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *connection)) {
        delete connection;
        return;
    }
    connections_.push_back(*connection);
    ++count_;
    metrics.open_connections.add(1);
    connection->start();
}

/// Over max_connections: best effort, a client of TLS just sees the end.
void HttpServer::Impl::turn_away(int fd) {
    metrics.refused(503);
    if (!tls_) {
        const std::string body =
            handler.error_body(to_error({503, "There are too many connections. Try again soon."}));
        const std::string answer =
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
            "Connection: close\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
        char request[4096];
        const ssize_t read = ::recv(fd, request, sizeof request, 0);
        const ssize_t sent = ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
        if (read >= 0 && sent > 0) metrics.sent_bytes.add(static_cast<uint64_t>(sent));
        ::shutdown(fd, SHUT_WR);
    }
    ::close(fd);
}

void HttpServer::Impl::call_at_turn_end(Connection& connection) {
    turn_end_.push_back(&connection);
    end_turn_soon();
}

void HttpServer::Impl::retire(Connection& connection) {
    retired_.push_back(&connection);
    end_turn_soon();
}

void HttpServer::Impl::end_turn_soon() {
    if (end_turn_posted_ || shut_down_) return;
    end_turn_posted_ = true;
    boost::asio::post(loop_, [self = shared_from_this()] {
        self->end_turn_posted_ = false;
        if (!self->shut_down_) self->end_turn();
    });
}

void HttpServer::Impl::end_turn() {
    // A callback may add connections again: their turn ends with the next one.
    std::vector<Connection*> ready;
    ready.swap(turn_end_);
    for (Connection* connection : ready) connection->on_turn_end();
    if (turn_end_.empty()) {
        ready.clear();
        ready.swap(turn_end_);
    }
    while (!retired_.empty()) {
        Connection* connection = retired_.back();
        retired_.pop_back();
        std::erase(turn_end_, connection);
        connections_.erase(connections_.iterator_to(*connection));
        --count_;
        delete connection;
    }
    if (stopping) finish_stop_when_empty();
}

void HttpServer::Impl::stop(std::function<void()> done) {
    on_stopped_.push_back(std::move(done));
    if (!stopping) {
        stopping = true;
        listener_.stop();
        for (Connection& connection : connections_) connection.on_stop();
    }
    end_turn_soon();
    if (shut_down_) finish_stop_when_empty();
}

void HttpServer::Impl::finish_stop_when_empty() {
    if (count_ > 0) return;
    shut_down();
    for (auto& done : std::exchange(on_stopped_, {}))
        if (done) boost::asio::post(loop_, std::move(done));
}

/// Ends at once, calls nobody.
void HttpServer::Impl::shut_down() {
    if (shut_down_) return;
    shut_down_ = stopping = true;
    deadlines.stop();
    listener_.stop();
    poller_->stop();
    connections_.clear_and_dispose([](Connection* connection) { delete connection; });
    turn_end_.clear();
    retired_.clear();
    count_ = 0;
}

HttpServer::HttpServer(boost::asio::io_context& loop, HttpServerOptions options, HttpHandler& handler,
                       telemetry::Logger& logger, telemetry::MetricsRegistry& metrics)
    : impl_(std::make_shared<Impl>(loop, std::move(options), handler, logger, metrics)) {}

HttpServer::~HttpServer() {
    impl_->shut_down();
    // A timer that has fired already has its callback in the loop's queue: the state outlives it.
    boost::asio::post(impl_->loop(), [keep = impl_] {});
}

Result<void> HttpServer::start() {
    return impl_->start();
}
void HttpServer::stop(std::function<void()> done) {
    impl_->stop(std::move(done));
}
uint16_t HttpServer::local_port() const {
    return impl_->local_port();
}
size_t HttpServer::open_connections() const {
    return impl_->open_connections();
}

}  // namespace hks::net
