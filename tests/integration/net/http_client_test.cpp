// SPDX-License-Identifier: Apache-2.0
#include "edge_fixture.hpp"

#include <hks/net/http_client.hpp>

#include <catch2/catch.hpp>
#include <csignal>

using namespace hks;
using namespace hks::net;
using namespace hks::net::test;

namespace {

std::string url_of(const TestServer&, uint16_t port, const std::string& path) {
    return "http://127.0.0.1:" + std::to_string(port) + path;
}

ClientRequest request_to(const TestServer& server, const std::string& path,
                         const std::string& method = "GET") {
    ClientRequest request;
    request.method = method;
    request.url = url_of(server, server.port(), path);
    return request;
}

/// Sends fixed bytes to whoever connects.
class CannedServer {
  public:
    explicit CannedServer(std::string answer) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd_, 4) != 0)
            throw std::runtime_error("listen failed");
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, answer = std::move(answer)] {
            const int client = ::accept(fd_, nullptr, nullptr);
            if (client < 0) return;
            char request[4096];
            if (::recv(client, request, sizeof request, 0) > 0 && !answer.empty())
                ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
            if (answer.empty()) std::this_thread::sleep_for(500ms);
            ::close(client);
        });
    }
    ~CannedServer() {
        ::shutdown(fd_, SHUT_RDWR);
        thread_.join();
        ::close(fd_);
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

  private:
    int fd_;
    uint16_t port_ = 0;
    std::thread thread_;
};

Result<ClientResponse> ask(const std::string& url) {
    ClientRequest request;
    request.url = url;
    return http_request(request);
}

}  // namespace

TEST_CASE("client: a request has its headers and body, an answer its status, headers and body") {
    TestServer server([](auto&, auto& handler) {
        handler.routes["/mirror"] = [](HttpExchange& exchange) {
            const HttpRequest& request = exchange.request();
            exchange.respond(201, "X-Answer: Yes\r\n",
                             std::string(request.method) + " " + std::string(request.header("x-ask")) + " " +
                                 std::string(request.query) + " " + std::string(request.body));
        };
    });
    ClientRequest request = request_to(server, "/mirror?q=1", "PATCH");
    request.headers = {{"X-Ask", "why"}};
    request.body = "data";
    const auto response = http_request(request);
    REQUIRE(response.has_value());
    CHECK(response->status == 201);
    CHECK(response->body == "PATCH why q=1 data");
    CHECK(response->header("x-answer") == "Yes");
    CHECK(response->header("absent").empty());
}

TEST_CASE("client: large bodies travel in both directions") {
    TestServer server;
    ClientRequest request = request_to(server, "/echo", "POST");
    request.body = std::string(5'000'000, 'y');
    const auto response = http_request(request);
    REQUIRE(response.has_value());
    CHECK(response->body == request.body);
}

TEST_CASE("client: HEAD and 204 end without a body") {
    TestServer server([](auto&, auto& handler) {
        handler.routes["/nothing"] = [](HttpExchange& exchange) { exchange.respond(204, "", ""); };
    });
    auto head = http_request(request_to(server, "/hello", "HEAD"));
    REQUIRE(head.has_value());
    CHECK(head->status == 200);
    CHECK(head->body.empty());
    auto nothing = http_request(request_to(server, "/nothing", "DELETE"));
    REQUIRE(nothing.has_value());
    CHECK(nothing->status == 204);
}

TEST_CASE("client: a stream hands out pieces as they come") {
    HttpExchange* stream = nullptr;
    TestServer server([&](auto&, auto& handler) {
        handler.routes["/events"] = [&](HttpExchange& exchange) {
            exchange.begin(200, "Content-Type: text/event-stream\r\n");
            exchange.write("data: 1\n\n");
            stream = &exchange;
        };
    });
    std::vector<std::string> pieces;
    const auto response = http_stream(request_to(server, "/events"), [&](std::string_view piece) {
        pieces.emplace_back(piece);
        boost::asio::post(server.loop(), [&, last = pieces.size() == 3] {
            if (last)
                stream->finish();
            else
                stream->write("data: more\n\n");
        });
        return true;
    });
    REQUIRE(response.has_value());
    CHECK(pieces == std::vector<std::string>{"data: 1\n\n", "data: more\n\n", "data: more\n\n"});
    CHECK(response->body.empty());
}

TEST_CASE("client: a reader that has enough ends the stream") {
    std::atomic<int> closed = 0;
    TestServer server([&](auto&, auto& handler) {
        handler.routes["/events"] = [&](HttpExchange& exchange) {
            exchange.set_on_closed([&] {
                ++closed;
                exchange.abort();
            });
            exchange.begin(200, "");
            exchange.write("one");
        };
    });
    const auto response = http_stream(request_to(server, "/events"), [](std::string_view) { return false; });
    CHECK(response.has_value());
    CHECK(TestServer::wait_until([&] { return closed == 1; }));
}

TEST_CASE("client: an error answer to a stream is returned whole") {
    TestServer server;
    int pieces = 0;
    const auto response = http_stream(request_to(server, "/absent"), [&](std::string_view) {
        ++pieces;
        return true;
    });
    REQUIRE(response.has_value());
    CHECK(response->status == 404);
    CHECK(response->body == "not here");
    CHECK(pieces == 0);
}

TEST_CASE("client: a server that is not there is unavailable, and the message names the address") {
    uint16_t port = 0;
    {
        TestServer server;
        port = server.port();
    }
    const auto response = ask("http://127.0.0.1:" + std::to_string(port) + "/x");
    REQUIRE(response.has_error());
    CHECK(response.error().code == Errc::unavailable);
    CHECK(response.error().message.find("http://127.0.0.1:" + std::to_string(port)) != std::string::npos);
}

TEST_CASE("client: a silent server is given up after the time") {
    CannedServer server("");
    ClientRequest request;
    request.url = server.url();
    request.timeout = std::chrono::milliseconds(100);
    const auto start = std::chrono::steady_clock::now();
    const auto response = http_request(request);
    CHECK(std::chrono::steady_clock::now() - start < 400ms);
    REQUIRE(response.has_error());
    CHECK(response.error().code == Errc::unavailable);
}

TEST_CASE("client: nonsense is a provider error") {
    for (const char* answer : {"hello\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n"}) {
        CannedServer server(answer);
        const auto response = ask(server.url());
        REQUIRE(response.has_error());
        CHECK(response.error().code == Errc::provider_error);
    }
}

TEST_CASE("client: after half an answer the server is unavailable") {
    for (const char* answer :
         {"HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"}) {
        CannedServer server(answer);
        const auto response = ask(server.url());
        REQUIRE(response.has_error());
        CHECK(response.error().code == Errc::unavailable);
        CHECK(response.error().details == std::vector<std::pair<std::string, std::string>>{{"connected", "true"}});
    }
}

TEST_CASE("client: interim answers are passed over, a body may end with the connection") {
    CannedServer server(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nto the "
        "end");
    const auto response = ask(server.url());
    REQUIRE(response.has_value());
    CHECK(response->status == 200);
    CHECK(response->body == "to the end");
}

TEST_CASE("client: headers that would split the request are not sent") {
    ClientRequest request;
    request.url = "http://127.0.0.1:1/";
    request.headers = {{"A", "b\r\nX: y"}};
    const auto response = http_request(request);
    REQUIRE(response.has_error());
    CHECK(response.error().code == Errc::validation_error);
}

TEST_CASE("client: a signal ends the wait") {
    CannedServer server("");
    struct sigaction action {
    }, old{};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, &old);
    const pthread_t self = ::pthread_self();
    std::thread interrupter([self] {
        std::this_thread::sleep_for(100ms);
        ::pthread_kill(self, SIGUSR1);
    });
    const auto start = std::chrono::steady_clock::now();
    const auto response = ask(server.url());
    interrupter.join();
    ::sigaction(SIGUSR1, &old, nullptr);
    CHECK(std::chrono::steady_clock::now() - start < 400ms);
    REQUIRE(response.has_error());
    CHECK(response.error().message.find("interrupted") != std::string::npos);
}
