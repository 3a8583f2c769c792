// SPDX-License-Identifier: Apache-2.0
#include "edge_fixture.hpp"

#include <catch2/catch.hpp>

using namespace hks::net;
using namespace hks::net::test;

namespace {

std::string decode_chunks(std::string_view text, bool& complete) {
    std::string body;
    complete = false;
    while (true) {
        const size_t line = text.find("\r\n");
        if (line == std::string_view::npos) return body;
        const size_t size = std::stoul(std::string(text.substr(0, line)), nullptr, 16);
        text.remove_prefix(line + 2);
        if (size == 0) {
            complete = text == "\r\n";
            return body;
        }
        if (text.size() < size + 2) return body;
        body += text.substr(0, size);
        text.remove_prefix(size + 2);
    }
}

}  // namespace

TEST_CASE("a streamed answer is chunked and complete") {
    TestServer server([](auto&, auto& handler) {
        handler.routes["/stream"] = [](HttpExchange& exchange) {
            exchange.begin(200, "Content-Type: text/plain\r\n");
            exchange.write("one ");
            exchange.write("");
            exchange.write(std::string(40'000, 'x'));
            exchange.write(" two");
            exchange.finish();
        };
    });
    RawClient client(server.port());
    client.send(get("/stream", "Connection: close\r\n"));
    const std::string all = client.receive_all();
    const size_t end = all.find("\r\n\r\n");
    CHECK(all.substr(0, end).find("Transfer-Encoding: chunked") != std::string::npos);
    CHECK(all.substr(0, end).find("Content-Length") == std::string::npos);
    bool complete = false;
    CHECK(decode_chunks(std::string_view(all).substr(end + 4), complete) ==
          "one " + std::string(40'000, 'x') + " two");
    CHECK(complete);
}

TEST_CASE("the head of a stream arrives before its first piece") {
    HttpExchange* stream = nullptr;
    TestServer server([&](auto&, auto& handler) {
        handler.routes["/stream"] = [&](HttpExchange& exchange) {
            exchange.begin(200, "");
            stream = &exchange;
        };
    });
    RawClient client(server.port());
    client.send(get("/stream"));
    CHECK(client.receive().ends_with("\r\n\r\n"));
    server.on_loop([&] { stream->write("tick"); });
    CHECK(client.receive() == "4\r\ntick\r\n");
    server.on_loop([&] { stream->finish(); });
    CHECK(client.receive() == "0\r\n\r\n");
    CHECK(client.exchange(get("/hello")).body == "hello");
}

TEST_CASE("a stream to HTTP/1.0 ends with the connection") {
    TestServer server([](auto&, auto& handler) {
        handler.routes["/stream"] = [](HttpExchange& exchange) {
            exchange.begin(200, "");
            exchange.write("raw");
            exchange.finish();
        };
    });
    RawClient client(server.port());
    client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const std::string all = client.receive_all();
    CHECK(all.find("chunked") == std::string::npos);
    CHECK(all.find("Connection: close") != std::string::npos);
    CHECK(all.ends_with("\r\n\r\nraw"));
}

TEST_CASE("a stream that answers HEAD has no body") {
    TestServer server([](auto&, auto& handler) {
        handler.routes["/stream"] = [](HttpExchange& exchange) {
            exchange.begin(200, "");
            exchange.write("hidden");
            exchange.finish();
        };
    });
    RawClient client(server.port());
    client.send("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n" + get("/hello"));
    CHECK(client.receive_answer(false).status == 200);
    CHECK(client.receive_answer().body == "hello");
}

TEST_CASE("an aborted stream is seen to be cut off") {
    for (const char* version : {"1.0", "1.1"}) {
        TestServer server([](auto&, auto& handler) {
            handler.routes["/stream"] = [](HttpExchange& exchange) {
                exchange.begin(200, "");
                exchange.write("part");
                exchange.abort();
            };
        });
        RawClient client(server.port());
        client.send(std::string("GET /stream HTTP/") + version + "\r\nHost: a\r\n\r\n");
        const std::string all = client.receive_all();
        CHECK((client.was_reset() ||
               (all.find("4\r\npart\r\n") != std::string::npos && !all.ends_with("0\r\n\r\n"))));
        CHECK(server.wait_for_connections(0));
    }
}

TEST_CASE("a stream to a slow reader holds no more than the handler allows, and arrives whole") {
    static constexpr size_t total = 20'000'000, window = 256 * 1024, piece = 16'000;
    struct Stream {
        HttpExchange* exchange = nullptr;
        size_t written = 0, most = 0;
        void pump() {
            while (written < total) {
                const size_t size = std::min(piece, total - written);
                const size_t queued = exchange->write(std::string(size, 's'));
                written += size;
                most = std::max(most, queued);
                if (queued > window) return;
            }
            exchange->finish();
        }
    };
    Stream stream;
    TestServer server([&](auto&, auto& handler) {
        handler.routes["/stream"] = [&](HttpExchange& exchange) {
            stream.exchange = &exchange;
            exchange.set_on_drained([&] { stream.pump(); });
            exchange.begin(200, "");
            stream.pump();
        };
    });
    RawClient client(server.port(), 32 * 1024);
    client.send(get("/stream", "Connection: close\r\n"));
    std::this_thread::sleep_for(200ms);
    size_t written = 0;
    server.on_loop([&] { written = stream.written; });
    CHECK(written < total);
    const std::string all = client.receive_all(30s);
    bool complete = false;
    CHECK(decode_chunks(std::string_view(all).substr(all.find("\r\n\r\n") + 4), complete).size() == total);
    CHECK(complete);
    CHECK(stream.most <= window + 2 * piece);
}

TEST_CASE("a reader that leaves a stream is noticed") {
    std::atomic<int> closed = 0;
    std::atomic<bool> begun = false;
    TestServer server([&](auto&, auto& handler) {
        handler.routes["/stream"] = [&](HttpExchange& exchange) {
            exchange.set_on_closed([&] {
                ++closed;
                exchange.abort();
            });
            exchange.begin(200, "");
            exchange.write(std::string(30'000'000, 'x'));
            begun = true;
        };
    });
    {
        RawClient client(server.port());
        client.send(get("/stream"));
        client.receive();
        REQUIRE(TestServer::wait_until([&] { return begun.load(); }));
    }
    CHECK(server.wait_for_connections(0));
    CHECK(closed == 1);
}

TEST_CASE("a reader that takes nothing is given up after the write timeout") {
    std::atomic<int> closed = 0;
    TestServer server([&](auto& options, auto& handler) {
        options.limits.write_timeout = 400ms;
        handler.routes["/stream"] = [&](HttpExchange& exchange) {
            exchange.set_on_closed([&] {
                ++closed;
                exchange.abort();
            });
            exchange.begin(200, "");
            exchange.write(std::string(30'000'000, 'x'));
        };
    });
    RawClient client(server.port());
    client.send(get("/stream"));
    CHECK(TestServer::wait_until([&] { return closed == 1; }, 3s));
    CHECK(server.wait_for_connections(0));
}

TEST_CASE("a body of ten megabytes goes out in many partial writes, and the next answer follows") {
    std::string body(10'000'000, 'b');
    for (size_t i = 0; i < body.size(); i += 3) body[i] = static_cast<char>(i * 7);
    TestServer server([&](auto&, auto& handler) {
        handler.routes["/big"] = [&](HttpExchange& exchange) { exchange.respond(200, "", body); };
    });
    RawClient client(server.port(), 16 * 1024);
    client.send(get("/big") + get("/hello") + get("/big"));
    std::this_thread::sleep_for(50ms);
    CHECK(client.receive_answer().body == body);
    CHECK(client.receive_answer().body == "hello");
    CHECK(client.receive_answer().body == body);
}

TEST_CASE("a client that pipelines without reading does not make the server work ahead") {
    TestServer server([&](auto&, auto& handler) {
        handler.routes["/big"] = [&](HttpExchange& exchange) {
            exchange.respond(200, "", std::string(8'000'000, 'x'));
        };
    });
    RawClient client(server.port(), 16 * 1024);
    std::string requests;
    for (int i = 0; i < 50; ++i) requests += get("/big");
    client.send(requests);
    std::this_thread::sleep_for(200ms);
    CHECK(server.handler.requests <= 2);
}

TEST_CASE("on_drained may end the stream") {
    TestServer server([&](auto&, auto& handler) {
        handler.routes["/stream"] = [&](HttpExchange& exchange) {
            exchange.set_on_drained([&exchange] { exchange.finish(); });
            exchange.begin(200, "");
            exchange.write("x");
        };
    });
    RawClient client(server.port());
    for (int i = 0; i < 3; ++i) {
        client.send(get("/stream"));
        std::string all;
        while (!all.ends_with("0\r\n\r\n")) {
            const std::string more = client.receive();
            REQUIRE_FALSE(more.empty());
            all += more;
        }
    }
}
