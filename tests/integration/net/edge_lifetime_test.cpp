// SPDX-License-Identifier: Apache-2.0
#include "edge_fixture.hpp"

#include <catch2/catch.hpp>

using namespace hks::net;
using namespace hks::net::test;

namespace {

/// Holds exchanges until the test answers them.
struct Waiting {
    std::vector<HttpExchange*> exchanges;
    std::atomic<int> closed = 0;
    std::atomic<int> count = 0;

    ProgrammedHandler::Action action() {
        return [this](HttpExchange& exchange) {
            exchange.set_on_closed([this] { ++closed; });
            exchanges.push_back(&exchange);
            ++count;
        };
    }
};

}  // namespace

TEST_CASE("a head that does not arrive in time gets 408") {
    TestServer server([](auto& options, auto&) { options.limits.header_timeout = 300ms; });
    RawClient client(server.port());
    client.send("GET /hello HTTP/1.1\r\nHo");
    const auto start = std::chrono::steady_clock::now();
    CHECK(client.receive_all().find("HTTP/1.1 408") == 0);
    CHECK(std::chrono::steady_clock::now() - start < 2s);
    CHECK(server.wait_for_connections(0));
}

TEST_CASE("a head that trickles gets no extension") {
    TestServer server([](auto& options, auto&) { options.limits.header_timeout = 300ms; });
    RawClient client(server.port());
    const auto start = std::chrono::steady_clock::now();
    client.send("GET /hello HTTP/1.1\r\n");
    while (std::chrono::steady_clock::now() - start < 1500ms) {
        client.send("A: b\r\n");
        std::this_thread::sleep_for(20ms);
        if (server.open_connections() == 0) break;
    }
    CHECK(server.wait_for_connections(0));
}

TEST_CASE("a connection that says nothing is closed without a word") {
    TestServer server([](auto& options, auto&) { options.limits.header_timeout = 300ms; });
    RawClient client(server.port());
    CHECK(client.receive_all(3s).empty());
    CHECK(server.wait_for_connections(0));
}

TEST_CASE("an idle connection is closed after its time, a busy one is not") {
    TestServer server([](auto& options, auto&) { options.limits.idle_timeout = 400ms; });
    RawClient idle(server.port()), busy(server.port());
    idle.exchange(get("/hello"));
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < 1500ms) {
        REQUIRE(busy.exchange(get("/hello")).body == "hello");
        std::this_thread::sleep_for(100ms);
    }
    CHECK(idle.closed_by_server(1s));
    CHECK(server.open_connections() == 1);
}

TEST_CASE("a body that arrives too slowly gets 408") {
    TestServer server;
    RawClient client(server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc");
    const auto start = std::chrono::steady_clock::now();
    CHECK(client.receive_all(9s).find("HTTP/1.1 408") == 0);
    CHECK(std::chrono::steady_clock::now() - start > 4s);
    CHECK(server.handler.requests == 0);
}

TEST_CASE(
    "a client that goes away while its answer is made is noticed once, and the late answer is ignored") {
    Waiting waiting;
    TestServer server([&](auto&, auto& handler) { handler.routes["/wait"] = waiting.action(); });
    {
        RawClient client(server.port());
        client.send(get("/wait"));
        REQUIRE(TestServer::wait_until([&] { return waiting.count == 1; }));
    }
    REQUIRE(TestServer::wait_until([&] { return waiting.closed == 1; }));
    server.on_loop([&] { waiting.exchanges[0]->respond(200, "", "too late"); });
    CHECK(server.wait_for_connections(0));
    CHECK(waiting.closed == 1);
}

TEST_CASE("a client that goes away with unread requests behind is noticed, too") {
    Waiting waiting;
    TestServer server([&](auto&, auto& handler) { handler.routes["/wait"] = waiting.action(); });
    {
        RawClient client(server.port());
        client.send(get("/wait"));
        REQUIRE(TestServer::wait_until([&] { return waiting.count == 1; }));
        client.send(get("/hello") + std::string(20'000, 'x'));
    }
    REQUIRE(TestServer::wait_until([&] { return waiting.closed == 1; }));
    server.on_loop([&] { waiting.exchanges[0]->abort(); });
    CHECK(server.wait_for_connections(0));
    CHECK(server.handler.requests == 1);
}

TEST_CASE("the exchange may be ended inside on_closed") {
    std::atomic<bool> waits = false;
    TestServer server([&](auto&, auto& handler) {
        handler.routes["/wait"] = [&](HttpExchange& exchange) {
            exchange.set_on_closed([&exchange] { exchange.abort(); });
            waits = true;
        };
    });
    {
        RawClient client(server.port());
        client.send(get("/wait"));
        REQUIRE(TestServer::wait_until([&] { return waits.load(); }));
    }
    CHECK(server.wait_for_connections(0));
}

TEST_CASE("an exchange without on_closed stays valid until it is answered") {
    HttpExchange* waiting = nullptr;
    std::atomic<bool> waits = false;
    TestServer server([&](auto&, auto& handler) {
        handler.routes["/wait"] = [&](HttpExchange& exchange) {
            waiting = &exchange;
            waits = true;
        };
    });
    {
        RawClient client(server.port());
        client.send(get("/wait"));
        REQUIRE(TestServer::wait_until([&] { return waits.load(); }));
    }
    std::this_thread::sleep_for(50ms);
    CHECK(server.open_connections() == 1);
    server.on_loop([&] {
        CHECK(waiting->request().path == "/wait");
        waiting->respond(200, "", "ignored");
    });
    CHECK(server.wait_for_connections(0));
}

TEST_CASE("on_closed is not called after the answer") {
    std::atomic<int> closed = 0;
    TestServer server([&](auto&, auto& handler) {
        handler.routes["/quick"] = [&](HttpExchange& exchange) {
            exchange.set_on_closed([&] { ++closed; });
            exchange.respond(200, "", "x");
        };
    });
    {
        RawClient client(server.port());
        client.exchange(get("/quick"));
    }
    REQUIRE(server.wait_for_connections(0));
    CHECK(closed == 0);
}

TEST_CASE(
    "a client that goes away in the middle of a body is forgotten, and a handler that waits for it is told") {
    std::atomic<int> closed = 0;
    TestServer server([&](auto&, auto& handler) {
        handler.at_head["/echo"] = [&](HttpExchange& exchange) { exchange.set_on_closed([&] { ++closed; }); };
    });
    {
        RawClient client(server.port());
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
        REQUIRE(TestServer::wait_until([&] { return server.handler.heads == 1; }));
    }
    CHECK(server.wait_for_connections(0));
    CHECK(server.handler.requests == 0);
    CHECK(closed == 1);
}

TEST_CASE("abort before any answer closes the connection") {
    TestServer server([](auto&, auto& handler) {
        handler.routes["/abort"] = [](HttpExchange& exchange) { exchange.abort(); };
    });
    RawClient client(server.port());
    client.send(get("/abort"));
    CHECK(client.receive_all().empty());
    CHECK(server.wait_for_connections(0));
}

TEST_CASE("a second answer to one request is ignored") {
    TestServer server([](auto&, auto& handler) {
        handler.routes["/twice"] = [](HttpExchange& exchange) {
            exchange.respond(200, "", "one");
            exchange.respond(200, "", "two");
            exchange.finish();
            exchange.abort();
        };
    });
    RawClient client(server.port());
    CHECK(client.exchange(get("/twice")).body == "one");
    CHECK(client.exchange(get("/hello")).body == "hello");
}

TEST_CASE("stop ends at once when nobody is there") {
    TestServer server;
    std::promise<void> done;
    server.on_loop([&] { server.server().stop([&] { done.set_value(); }); });
    CHECK(done.get_future().wait_for(2s) == std::future_status::ready);
}

TEST_CASE("stop closes idle connections, answers what is under way, and refuses new ones") {
    Waiting waiting;
    TestServer server([&](auto&, auto& handler) { handler.routes["/wait"] = waiting.action(); });
    const uint16_t port = server.port();
    RawClient idle(port), busy(port), fresh(port);
    idle.exchange(get("/hello"));
    busy.send(get("/wait"));
    REQUIRE(TestServer::wait_until([&] { return waiting.count == 1; }));
    std::promise<void> done;
    auto stopped = done.get_future();
    server.on_loop([&] { server.server().stop([&] { done.set_value(); }); });
    CHECK(idle.closed_by_server());
    CHECK(fresh.closed_by_server());
    CHECK_THROWS(RawClient(port));
    CHECK(stopped.wait_for(100ms) == std::future_status::timeout);
    server.on_loop([&] { waiting.exchanges[0]->respond(200, "", "in time"); });
    const Answer answer = busy.receive_answer();
    CHECK(answer.body == "in time");
    CHECK(answer.head.find("Connection: close\r\n") != std::string::npos);
    busy.close();
    CHECK(stopped.wait_for(3s) == std::future_status::ready);
    CHECK(waiting.closed == 0);
}

TEST_CASE("a request that is in the socket when the server stops is answered") {
    TestServer server;
    RawClient client(server.port());
    client.exchange(get("/hello"));
    std::promise<void> done;
    server.on_loop([&] {
        client.send(get("/hello"));
        server.server().stop([&] { done.set_value(); });
    });
    CHECK(client.receive_answer().body == "hello");
    CHECK(client.closed_by_server());
    CHECK(done.get_future().wait_for(3s) == std::future_status::ready);
}

TEST_CASE("a client that connected in the moment of the stop still gets its answer") {
    TestServer server;
    std::promise<void> done;
    std::optional<RawClient> client;
    server.on_loop([&] {
        client.emplace(server.port());
        server.server().stop([&] { done.set_value(); });
    });
    std::this_thread::sleep_for(100ms);
    CHECK(client->exchange(get("/hello")).body == "hello");
    CHECK(done.get_future().wait_for(3s) == std::future_status::ready);
}

TEST_CASE("a server that is destroyed with work under way takes everything with it") {
    Waiting waiting;
    TestServer server([&](auto&, auto& handler) { handler.routes["/wait"] = waiting.action(); });
    RawClient waiting_client(server.port()), idle(server.port());
    waiting_client.send(get("/wait"));
    idle.exchange(get("/hello"));
    REQUIRE(TestServer::wait_until([&] { return waiting.count == 1; }));
}
