// SPDX-License-Identifier: Apache-2.0
#include "edge_fixture.hpp"

#include <catch2/catch.hpp>

using namespace hks::net;
using namespace hks::net::test;

TEST_CASE("an answer has a date, a length and no word about closing") {
    TestServer server;
    RawClient client(server.port());
    const Answer answer = client.exchange(get("/hello"));
    CHECK(answer.status == 200);
    CHECK(answer.body == "hello");
    CHECK(answer.head.find("HTTP/1.1 200 OK\r\nDate: ") == 0);
    CHECK(answer.head.find(" GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n") !=
          std::string::npos);
}

TEST_CASE("one connection serves many requests") {
    TestServer server;
    RawClient client(server.port());
    for (int i = 0; i < 200; ++i) REQUIRE(client.exchange(get("/hello")).body == "hello");
    CHECK(server.open_connections() == 1);
}

TEST_CASE("pipelined requests are answered in order") {
    TestServer server;
    RawClient client(server.port());
    std::string requests;
    for (int i = 0; i < 100; ++i) requests += post("/echo", "number " + std::to_string(i));
    client.send(requests);
    for (int i = 0; i < 100; ++i) REQUIRE(client.receive_answer().body == "number " + std::to_string(i));
}

TEST_CASE("a pipelined request waits for the answer of the one before it") {
    HttpExchange* waiting = nullptr;
    TestServer server([&](auto&, auto& handler) {
        handler.routes["/wait"] = [&](HttpExchange& exchange) { waiting = &exchange; };
    });
    RawClient client(server.port());
    client.send(get("/wait") + get("/hello"));
    REQUIRE(TestServer::wait_until([&] { return server.handler.requests == 1; }));
    std::this_thread::sleep_for(50ms);
    CHECK(server.handler.requests == 1);
    server.on_loop([&] { waiting->respond(200, "", "first"); });
    CHECK(client.receive_answer().body == "first");
    CHECK(client.receive_answer().body == "hello");
}

TEST_CASE("a request that arrives byte by byte is served") {
    TestServer server;
    RawClient client(server.port());
    for (char c : post("/echo", "hello")) {
        client.send({&c, 1});
        std::this_thread::sleep_for(200us);
    }
    CHECK(client.receive_answer().body == "hello");
}

TEST_CASE("HEAD and 204 have no body, and HEAD tells the length that GET has") {
    TestServer server([](auto&, auto& handler) {
        handler.routes["/nothing"] = [](HttpExchange& exchange) { exchange.respond(204, "", ""); };
    });
    RawClient client(server.port());
    client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    const Answer head = client.receive_answer(false);
    CHECK(head.head.find("Content-Length: 5\r\n") != std::string::npos);
    const Answer nothing = client.exchange(get("/nothing"));
    CHECK(nothing.status == 204);
    CHECK(nothing.head.find("Content-Length") == std::string::npos);
    CHECK(client.exchange(get("/hello")).body == "hello");
}

TEST_CASE("HTTP/1.0 closes unless it asked for more") {
    TestServer server;
    RawClient once(server.port());
    once.send("GET /hello HTTP/1.0\r\n\r\n");
    const std::string all = once.receive_all();
    CHECK(all.find("Connection: close\r\n") != std::string::npos);
    CHECK(all.ends_with("hello"));
    RawClient more(server.port());
    const std::string request = "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    CHECK(more.exchange(request).head.find("Connection: keep-alive\r\n") != std::string::npos);
    CHECK(more.exchange(request).body == "hello");
}

TEST_CASE("Connection: close is obeyed after the answer") {
    TestServer server;
    RawClient client(server.port());
    client.send(get("/hello", "Connection: close\r\n"));
    CHECK(client.receive_all().ends_with("hello"));
    CHECK(server.wait_for_connections(0));
}

TEST_CASE("a long body with a length comes through whole, and the next request too") {
    TestServer server;
    RawClient client(server.port());
    std::string body(3'000'000, 'x');
    for (size_t i = 0; i < body.size(); i += 7) body[i] = static_cast<char>(i);
    std::thread sender([&] { client.send(post("/echo", body) + get("/hello")); });
    const Answer answer = client.receive_answer();
    sender.join();
    CHECK(answer.body == body);
    CHECK(client.receive_answer().body == "hello");
}

TEST_CASE("a chunked body comes through whole, and a request behind it too") {
    TestServer server;
    RawClient client(server.port());
    std::string request = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", body;
    for (int i = 0; i < 3000; ++i) {
        const std::string piece(static_cast<size_t>(1 + i % 50), static_cast<char>('a' + i % 26));
        char size[16];
        std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
        request += size + piece + "\r\n";
        body += piece;
    }
    client.send(request + "0\r\nTrailer: dropped\r\n\r\n" + get("/hello"));
    CHECK(client.receive_answer().body == body);
    CHECK(client.receive_answer().body == "hello");
}

TEST_CASE("views of the head stay valid while a late body arrives") {
    std::string_view at_head;
    TestServer server([&](auto&, auto& handler) {
        handler.at_head["/late"] = [&](HttpExchange& exchange) {
            at_head = exchange.request().header("x-token");
        };
        handler.routes["/late"] = [&](HttpExchange& exchange) {
            const bool same = at_head.data() == exchange.request().header("x-token").data();
            exchange.respond(200, "", same && at_head == "secret" ? "same" : "moved");
        };
    });
    RawClient client(server.port());
    const std::string request = post("/late", std::string(100'000, 'x'), "X-Token: secret\r\n");
    client.send(request.substr(0, 120));
    std::this_thread::sleep_for(30ms);
    client.send(request.substr(120));
    CHECK(client.receive_answer().body == "same");
}

TEST_CASE("100 Continue is sent when the head was accepted and the body is waited for") {
    TestServer server;
    RawClient client(server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    CHECK(client.receive() == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    CHECK(client.receive_answer().body == "hello");
}

TEST_CASE("100 Continue is not sent when the body is there already") {
    TestServer server;
    RawClient client(server.port());
    const Answer answer = client.exchange(post("/echo", "hello", "Expect: 100-continue\r\n"));
    CHECK(answer.status == 200);
}

TEST_CASE("a head that is answered ends the connection without its body, and the answer arrives") {
    TestServer server([](auto&, auto& handler) {
        handler.at_head["/denied"] = [](HttpExchange& exchange) {
            exchange.respond(401, "", "who are you?");
        };
    });
    RawClient client(server.port());
    client.send("POST /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n" +
                std::string(60'000, 'x'));
    const std::string all = client.receive_all();
    CHECK(all.find("HTTP/1.1 401") == 0);
    CHECK(all.find("Connection: close\r\n") != std::string::npos);
    CHECK(all.ends_with("who are you?"));
    CHECK(server.handler.requests == 0);
}

TEST_CASE("a head that is answered keeps the connection when its body came with it") {
    TestServer server([](auto&, auto& handler) {
        handler.at_head["/denied"] = [](HttpExchange& exchange) { exchange.respond(401, "", "no"); };
    });
    RawClient client(server.port());
    CHECK(client.exchange(post("/denied", "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")).status == 401);
    CHECK(client.exchange(get("/hello")).body == "hello");
    CHECK(server.handler.heads == 2);
}

TEST_CASE("an Expect that is answered at the head gets no 100 and no second answer") {
    TestServer server([](auto&, auto& handler) {
        handler.at_head["/denied"] = [](HttpExchange& exchange) { exchange.respond(403, "", "no"); };
    });
    RawClient client(server.port());
    client.send("POST /denied HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    const std::string all = client.receive_all();
    CHECK(all.find("HTTP/1.1 403") == 0);
    CHECK(all.find("100 Continue") == std::string::npos);
}

TEST_CASE("the handler's body limit answers 413 before the body is sent") {
    TestServer server([](auto&, auto& handler) { handler.body_limit = 10; });
    RawClient client(server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
    const std::string all = client.receive_all();
    CHECK(all.find("HTTP/1.1 413") == 0);
    CHECK(all.find("PAYLOAD_TOO_LARGE") != std::string::npos);
    CHECK(server.handler.requests == 0);
    RawClient chunked(server.port());
    chunked.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n");
    CHECK(chunked.receive_all().find("HTTP/1.1 413") == 0);
}

TEST_CASE("an ambiguous message gets a 400 with a reason and the end of the connection, and is counted") {
    TestServer server;
    RawClient client(server.port());
    client.send(get("/hello") +
                "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: "
                "chunked\r\n\r\n0\r\n\r\n" +
                get("/hello"));
    CHECK(client.receive_answer().body == "hello");
    const Answer refused = client.receive_answer();
    CHECK(refused.status == 400);
    CHECK(refused.head.find("Connection: close\r\n") != std::string::npos);
    CHECK(refused.body.find("\"code\":") != std::string::npos);
    CHECK(client.closed_by_server());
    CHECK(server.handler.requests == 1);
    CHECK(server.metrics.render().find("hks_edge_refused_total{status=\"400\"} 1") != std::string::npos);
}

TEST_CASE("a refusal reaches a client that goes on sending") {
    TestServer server;
    RawClient client(server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + std::string(50'000, 'x'));
    CHECK(client.receive_all().find("HTTP/1.1 400") == 0);
}

TEST_CASE("every refusal status is worded on the wire") {
    TestServer server;
    const std::vector<std::pair<std::string, std::string>> cases{
        {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 501 Not Implemented\r\n"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
        {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 414 URI Too Long\r\n"},
        {get("/", "A: " + std::string(40'000, 'a') + "\r\n"),
         "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
        {post("/echo", "x", "Expect: tea\r\n"), "HTTP/1.1 417 Expectation Failed\r\n"},
    };
    for (const auto& [request, line] : cases) {
        RawClient client(server.port());
        client.send(request);
        CHECK(client.receive_all().find(line) == 0);
    }
    CHECK(server.handler.heads == 0);
}

TEST_CASE("a head as large as the limits allow is served") {
    TestServer server;
    RawClient client(server.port());
    std::string fields;
    for (int i = 0; i < 90; ++i)
        fields += "X-Field-" + std::to_string(i) + ": " + std::string(300, 'v') + "\r\n";
    CHECK(client.exchange(get("/hello?" + std::string(8000, 'q'), fields)).body == "hello");
    CHECK(client.exchange(get("/hello")).body == "hello");
}

TEST_CASE("the peer's address is known") {
    TestServer server([](auto&, auto& handler) {
        handler.routes["/who"] = [](HttpExchange& exchange) {
            exchange.respond(200, "", exchange.request().remote_address);
        };
    });
    RawClient client(server.port());
    CHECK(client.exchange(get("/who")).body == "127.0.0.1");
}

TEST_CASE("state stays with the connection from request to request") {
    struct Count final : HttpExchange::State {
        int value = 0;
    };
    TestServer server([](auto&, auto& handler) {
        handler.routes["/count"] = [](HttpExchange& exchange) {
            if (!exchange.state) exchange.state = std::make_unique<Count>();
            exchange.respond(200, "", std::to_string(++static_cast<Count&>(*exchange.state).value));
        };
    });
    RawClient first(server.port()), second(server.port());
    CHECK(first.exchange(get("/count")).body == "1");
    CHECK(first.exchange(get("/count")).body == "2");
    CHECK(second.exchange(get("/count")).body == "1");
}

TEST_CASE("an address in use is an error that says so") {
    TestServer server;
    boost::asio::io_context loop;
    hks::telemetry::Logger logger(hks::telemetry::Level::off, hks::telemetry::Format::text);
    HttpServerOptions options;
    options.port = server.port();
    HttpServer second(loop, options, server.handler, logger, server.metrics);
    const auto started = second.start();
    REQUIRE(started.has_error());
    CHECK(started.error().message.find("another port") != std::string::npos);
}

TEST_CASE("IPv6 is listened on when asked for") {
    TestServer server([](auto& options, auto&) { options.address = "::1"; });
    CHECK(server.port() != 0);
}
