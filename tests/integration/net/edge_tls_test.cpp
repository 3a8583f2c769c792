// SPDX-License-Identifier: Apache-2.0
#include "edge_fixture.hpp"

#include <hks/net/http_client.hpp>

#include <openssl/ssl.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

using namespace hks;
using namespace hks::net;
using namespace hks::net::test;

namespace {

/// A self-signed certificate for 127.0.0.1 and localhost, trusted by this process.
class Certificate {
  public:
    Certificate()
        : folder_(std::filesystem::temp_directory_path() / ("hks-tls-" + std::to_string(::getpid()))) {
        std::filesystem::create_directories(folder_);
        const std::string command =
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
            "/CN=hks-test "
            "-addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout " +
            key() + " -out " + certificate() + " 2>/dev/null";
        if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl failed");
        ::setenv("SSL_CERT_FILE", certificate().c_str(), 1);
    }
    ~Certificate() {
        ::unsetenv("SSL_CERT_FILE");
        std::filesystem::remove_all(folder_);
    }
    std::string certificate() const { return folder_ / "cert.pem"; }
    std::string key() const { return folder_ / "key.pem"; }
    TlsFiles files() const { return {certificate(), key()}; }

  private:
    std::filesystem::path folder_;
};

Result<ClientResponse> ask(const std::string& host, uint16_t port, const std::string& path,
                           std::string body = "") {
    ClientRequest request;
    request.url = "https://" + host + ":" + std::to_string(port) + path;
    request.method = body.empty() ? "GET" : "POST";
    request.body = std::move(body);
    return http_request(request);
}

}  // namespace

TEST_CASE("TLS: hello, verified by address and by name") {
    Certificate certificate;
    TestServer server([&](auto& options, auto&) { options.tls = certificate.files(); });
    for (const char* host : {"127.0.0.1", "localhost"}) {
        const auto response = ask(host, server.port(), "/hello");
        INFO((response ? "" : response.error().message));
        REQUIRE(response.has_value());
        CHECK(response->body == "hello");
    }
}

TEST_CASE("TLS: large bodies in both directions, with partial writes") {
    Certificate certificate;
    TestServer server([&](auto& options, auto&) { options.tls = certificate.files(); });
    const std::string body(3'000'000, 't');
    const auto response = ask("127.0.0.1", server.port(), "/echo", body);
    REQUIRE(response.has_value());
    CHECK(response->body == body);
}

TEST_CASE("TLS: a streamed answer comes through") {
    Certificate certificate;
    TestServer server([&](auto& options, auto& handler) {
        options.tls = certificate.files();
        handler.routes["/stream"] = [](HttpExchange& exchange) {
            exchange.begin(200, "");
            for (int i = 0; i < 100; ++i) exchange.write(std::string(30'000, 's'));
            exchange.finish();
        };
    });
    const auto response = ask("127.0.0.1", server.port(), "/stream");
    REQUIRE(response.has_value());
    CHECK(response->body.size() == 3'000'000);
}

TEST_CASE("TLS: an untrusted certificate is refused with the reason") {
    std::optional<Certificate> certificate(std::in_place);
    TestServer server([&](auto& options, auto&) { options.tls = certificate->files(); });
    certificate.reset();
    const auto response = ask("127.0.0.1", server.port(), "/hello");
    REQUIRE(response.has_error());
    CHECK(response.error().code == Errc::unavailable);
    CHECK(response.error().message.find("not trusted") != std::string::npos);
}

TEST_CASE("TLS: plain HTTP and silence on a TLS port end the connection") {
    Certificate certificate;
    TestServer server([&](auto& options, auto&) {
        options.tls = certificate.files();
        options.limits.header_timeout = 300ms;
    });
    RawClient plain(server.port()), silent(server.port());
    plain.send(get("/hello"));
    plain.receive_all();
    CHECK(silent.closed_by_server(3s));
    plain.close();
    CHECK(server.wait_for_connections(0));
    CHECK(server.handler.requests == 0);
}

TEST_CASE("TLS: a client that goes away while its answer is made is noticed") {
    Certificate certificate;
    std::atomic<int> closed = 0;
    std::atomic<bool> waits = false;
    TestServer server([&](auto& options, auto& handler) {
        options.tls = certificate.files();
        handler.routes["/wait"] = [&](HttpExchange& exchange) {
            exchange.set_on_closed([&] {
                ++closed;
                exchange.abort();
            });
            waits = true;
        };
    });
    ClientRequest request;
    request.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/wait";
    request.timeout = std::chrono::milliseconds(200);
    CHECK(http_request(request).has_error());
    CHECK(waits);
    CHECK(TestServer::wait_until([&] { return closed == 1; }));
    CHECK(server.wait_for_connections(0));
}

TEST_CASE("TLS: files that cannot be used are an error that names them") {
    hks::telemetry::MetricsRegistry metrics;
    hks::telemetry::Logger logger(hks::telemetry::Level::off, hks::telemetry::Format::text);
    boost::asio::io_context loop;
    ProgrammedHandler handler;
    HttpServerOptions options;
    options.port = 0;
    options.tls = {"/nonexistent/cert.pem", "/nonexistent/key.pem"};
    HttpServer server(loop, options, handler, logger, metrics);
    const auto started = server.start();
    REQUIRE(started.has_error());
    CHECK(started.error().message.find("/nonexistent/cert.pem") != std::string::npos);
}
