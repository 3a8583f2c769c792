// SPDX-License-Identifier: Apache-2.0
#pragma once
// A real server on a loop thread of its own, a handler that tests program, and a client that says exactly the
// bytes it is told to.

#include <hks/net/http_server.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace hks::net::test {

using namespace std::chrono_literals;

/// "/hello" answers hello; other paths have to be registered.
class ProgrammedHandler final : public HttpHandler {
  public:
    using Action = std::function<void(HttpExchange&)>;

    size_t on_head(HttpExchange& exchange) override {
        ++heads;
        const auto found = at_head.find(std::string(exchange.request().path));
        if (found != at_head.end()) found->second(exchange);
        return body_limit;
    }
    void on_request(HttpExchange& exchange) override {
        ++requests;
        const std::string path(exchange.request().path);
        if (const auto found = routes.find(path); found != routes.end()) return found->second(exchange);
        if (path == "/hello") return exchange.respond(200, "Content-Type: text/plain\r\n", "hello");
        if (path == "/echo") return exchange.respond(200, "", std::string(exchange.request().body));
        exchange.respond(404, "", "not here");
    }

    std::map<std::string, Action> routes, at_head;
    size_t body_limit = 16 * 1024 * 1024;
    std::atomic<int> heads = 0, requests = 0;
};

class TestServer {
  public:
    explicit TestServer(std::function<void(HttpServerOptions&, ProgrammedHandler&)> program = nullptr) {
        HttpServerOptions options;
        options.port = 0;
        if (program) program(options, handler);
        server_.emplace(loop_, options, handler, logger_, metrics);
        auto started = server_->start();
        if (!started) throw std::runtime_error(started.error().message);
        thread_ = std::thread([this] { loop_.run(); });
    }
    ~TestServer() {
        on_loop([this] { server_.reset(); });
        guard_.reset();
        loop_.stop();
        thread_.join();
    }

    uint16_t port() const { return server_->local_port(); }
    HttpServer& server() { return *server_; }
    boost::asio::io_context& loop() { return loop_; }

    void on_loop(std::function<void()> action) {
        std::promise<void> done;
        boost::asio::post(loop_, [&] {
            action();
            done.set_value();
        });
        done.get_future().wait();
    }
    size_t open_connections() {
        size_t count = 0;
        on_loop([&] { count = server_->open_connections(); });
        return count;
    }
    bool wait_for_connections(size_t wanted, std::chrono::milliseconds limit = 5s) {
        return wait_until([&] { return open_connections() == wanted; }, limit);
    }
    static bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds limit = 5s) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > end) return false;
            std::this_thread::sleep_for(5ms);
        }
        return true;
    }

    ProgrammedHandler handler;
    telemetry::MetricsRegistry metrics;

  private:
    static void ignore(void*, std::string_view) {}

    boost::asio::io_context loop_{BOOST_ASIO_CONCURRENCY_HINT_DEFAULT};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_ =
        boost::asio::make_work_guard(loop_);
    telemetry::Logger logger_{telemetry::Level::debug, telemetry::Format::text, ignore, nullptr};
    std::optional<HttpServer> server_;
    std::thread thread_;
};

struct Answer {
    int status = 0;
    std::string head, body;
};

class RawClient {
  public:
    explicit RawClient(uint16_t port, int receive_buffer = 0)
        : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (receive_buffer > 0)
            ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("connect failed");
    }
    ~RawClient() { close(); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            bytes.remove_prefix(static_cast<size_t>(sent));
        }
    }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    /// Some bytes; empty at the end of the stream or after the time.
    std::string receive(std::chrono::milliseconds limit = 5s, size_t most = 65536) {
        pollfd poll{fd_, POLLIN, 0};
        if (::poll(&poll, 1, static_cast<int>(limit.count())) <= 0) return {};
        std::string bytes(most, '\0');
        const ssize_t size = ::recv(fd_, bytes.data(), bytes.size(), 0);
        closed_ = size <= 0;
        reset_ = size < 0;
        bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
        return bytes;
    }
    std::string receive_all(std::chrono::milliseconds limit = 10s) {
        std::string all = std::exchange(rest_, {});
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!closed_ && std::chrono::steady_clock::now() < end) all += receive(200ms);
        return all;
    }
    /// One answer with Content-Length (or without a body).
    Answer receive_answer(bool has_body = true) {
        Answer answer;
        size_t head_end;
        while ((head_end = rest_.find("\r\n\r\n")) == std::string::npos) {
            const std::string more = receive();
            if (more.empty()) return answer;
            rest_ += more;
        }
        answer.head = rest_.substr(0, head_end + 4);
        rest_.erase(0, head_end + 4);
        answer.status = std::stoi(answer.head.substr(9, 3));
        const size_t field = answer.head.find("Content-Length: ");
        size_t length =
            has_body && field != std::string::npos ? std::stoul(answer.head.substr(field + 16)) : 0;
        while (rest_.size() < length) {
            const std::string more = receive();
            if (more.empty()) return answer;
            rest_ += more;
        }
        answer.body = rest_.substr(0, length);
        rest_.erase(0, length);
        return answer;
    }
    Answer exchange(std::string_view request) {
        send(request);
        return receive_answer();
    }
    bool closed_by_server(std::chrono::milliseconds limit = 5s) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!closed_ && std::chrono::steady_clock::now() < end) receive(50ms);
        return closed_;
    }
    void forget_buffers() { std::string().swap(rest_); }
    bool was_reset() const { return reset_; }

  private:
    int fd_;
    bool closed_ = false, reset_ = false;
    std::string rest_;
};

inline std::string get(std::string_view path, std::string_view fields = "") {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}
inline std::string post(std::string_view path, std::string_view body, std::string_view fields = "") {
    return "POST " + std::string(path) +
           " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           std::string(fields) + "\r\n" + std::string(body);
}

}  // namespace hks::net::test
