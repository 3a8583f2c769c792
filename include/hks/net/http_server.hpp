// SPDX-License-Identifier: Apache-2.0
#pragma once
// The HTTP/1.1 edge: a strict parser of our own (RFC 9110/9112, everything ambiguous is refused), limits, keep-alive,
// streaming answers, TLS. Ignorant of functions. One loop thread owns a server and its connections; nothing is global.
// start() accepts until stop(): then listening ends, idle connections are closed, busy ones finish.

#include <hks/core/call.hpp>
#include <hks/core/error.hpp>

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace hks::telemetry {
class Logger;
class MetricsRegistry;
}  // namespace hks::telemetry

namespace hks::net {

struct HttpLimits {
    size_t request_line = 8 * 1024;
    size_t header_bytes = 32 * 1024;
    size_t header_count = 100;
    size_t chunk_extension_bytes = 1024;      ///< in total over one body
    size_t body_bytes = 6 * 1024 * 1024;      ///< default; a handler may choose another in on_head()
    milliseconds header_timeout{10'000};      ///< from the first byte (or accept) to the end of the head
    milliseconds idle_timeout{60'000};        ///< between requests
    milliseconds write_timeout{60'000};       ///< an answer of which the client takes nothing
    size_t min_body_rate = 1024;              ///< bytes a second, measured after the first 5 s of a body
    size_t max_connections = 20'000;
};

/// A request whose head (and, from on_request() on, body) has been read and checked. Views live in the connection
/// until the exchange ends.
struct HttpRequest {
    std::string_view method;        ///< a known method, upper case
    std::string_view target;        ///< as received
    std::string_view raw_path;      ///< target up to '?'
    std::string_view path;          ///< percent-decoded once, "//" "." ".." resolved; route and authorise on this only
    std::string_view query;         ///< raw, without '?'
    std::span<const Header> headers;  ///< names lower case; hop-by-hop ones and those with '_' already removed
    std::string_view body;
    std::string_view host;
    std::string_view remote_address;  ///< of the peer
    bool head_only = false;         ///< HEAD: the answer's body is not sent
    bool expects_continue = false;
    uint64_t content_length = 0;    ///< announced; 0 when chunked or absent
    bool chunked = false;

    /// First value of a header (lower-case name); empty when absent.
    std::string_view header(std::string_view name) const;
};

/// One request and its answer. Exactly one of respond() or begin()…finish() is called by the handler, on the loop
/// thread, at once or later; the object stays valid until then. After on_closed() answers are ignored, but the
/// exchange still waits for its end: abort() says that there is nothing more to come.
class HttpExchange {
  public:
    /// State that a handler keeps with the connection from request to request (its recycled Call, say).
    struct State {
        virtual ~State() = default;
    };

    virtual const HttpRequest& request() const = 0;

    /// Whole answer. `headers` is a block of "Name: value\r\n" lines, already checked; Date, Connection and
    /// Content-Length are added. Bodies of HEAD, 204 and 304 are not sent.
    virtual void respond(int status, std::string_view headers, std::string_view body) = 0;
    /// The whole answer to a HEAD when the body that it stands for is not there: only how long it would be.
    virtual void respond_head(int status, std::string_view headers, uint64_t content_length) = 0;

    /// Streaming answer (chunked for HTTP/1.1, until close for 1.0).
    virtual void begin(int status, std::string_view headers) = 0;
    /// Queues bytes; returns how many bytes wait to be taken by the client now.
    virtual size_t write(std::string_view bytes) = 0;
    virtual void finish() = 0;
    /// Ends the connection without a proper end of the body: the client can see that the answer is cut off.
    virtual void abort() = 0;

    /// Called when the queued bytes of a streaming answer have fallen to zero.
    virtual void set_on_drained(std::function<void()> callback) = 0;
    /// Called once when the client goes away before the answer was finished. Not called after finish()/respond().
    virtual void set_on_closed(std::function<void()> callback) = 0;

    std::unique_ptr<State> state;

  protected:
    ~HttpExchange() = default;
};

class HttpHandler {
  public:
    virtual ~HttpHandler() = default;
    /// The head is there, the body is not: choose its limit, or answer at once (then on_request() is not called and
    /// a body that was announced is not read). Return the limit in bytes.
    virtual size_t on_head(HttpExchange& exchange) = 0;
    /// The body is there too.
    virtual void on_request(HttpExchange& exchange) = 0;
    /// The body an error answer of the edge itself carries (bad request, 413, 431, 501, 408). Default: the project's
    /// error JSON.
    virtual std::string error_body(const Error& error) { return to_json_text(error); }
};

struct TlsFiles {
    std::string certificate;  ///< PEM chain
    std::string key;          ///< PEM
};

struct HttpServerOptions {
    std::string address = "127.0.0.1";
    uint16_t port = 8080;     ///< 0 = any free one, see local_port()
    HttpLimits limits;
    TlsFiles tls;             ///< empty = plain
    int backlog = 4096;
};

class HttpServer {
  public:
    HttpServer(boost::asio::io_context& loop, HttpServerOptions options, HttpHandler& handler,
               telemetry::Logger& logger, telemetry::MetricsRegistry& metrics);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    Result<void> start();
    /// Stops accepting; `done` is called when the last exchange has ended (or at once).
    void stop(std::function<void()> done);
    uint16_t local_port() const;
    size_t open_connections() const;

  private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace hks::net
