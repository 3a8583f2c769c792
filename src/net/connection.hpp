// SPDX-License-Identifier: Apache-2.0
#pragma once
// One client connection and, one at a time, its exchanges: reads and checks a request, hands it to the
// handler, sends the answer, begins again. Everything it needs for a request lives as long as the connection:
// nothing is allocated per request. Deleted by the server after retire(), never in the middle of a call.

#include "net/buffer.hpp"
#include "net/chunk_decoder.hpp"
#include "net/deadlines.hpp"
#include "net/edge.hpp"
#include "net/poller.hpp"
#include "net/request_parser.hpp"
#include "net/transport.hpp"

#include <hks/net/http_server.hpp>

#include <boost/intrusive/list_hook.hpp>

#include <functional>
#include <span>
#include <string>

namespace hks::net {

class Connection final : public HttpExchange,
                         public PollTarget,
                         public WatchHook,
                         public boost::intrusive::list_base_hook<> {
  public:
    Connection(Edge& edge, int fd, SslPtr ssl, std::string_view remote_address);
    ~Connection();

    // What happens to it.
    void start();
    void on_poll(uint32_t events) override;
    void on_expired(Watch kind);
    void on_turn_end();
    void on_stop();

    // HttpExchange.
    const HttpRequest& request() const override { return request_; }
    void respond(int status, std::string_view headers, std::string_view body) override {
        respond(status, headers, body, body.size());
    }
    void respond_head(int status, std::string_view headers, uint64_t content_length) override {
        respond(status, headers, {}, content_length);
    }
    void begin(int status, std::string_view headers) override;
    size_t write(std::string_view bytes) override;
    void finish() override;
    void abort() override;
    void set_on_drained(std::function<void()> callback) override { on_drained_ = std::move(callback); }
    void set_on_closed(std::function<void()> callback) override { on_closed_ = std::move(callback); }

  private:
    enum class Phase : uint8_t {
        handshake,  // TLS
        head,       // reads a request's head, or idles before it
        body,       // reads its body
        handler,    // the handler has it
        flushing,   // the answer is complete, not all of it sent
        lingering,  // everything is sent; waits a little for the client to read it
        closed
    };

    // connection.cpp: the life of an exchange
    void advance();
    bool advance_once();
    bool start_exchange();
    void dispatch(std::string_view body);
    bool end_exchange();
    bool drain_before_close();
    void gone();
    void close_now();
    void retire_when_free();
    void update_watch();

    // connection_read.cpp: bytes in
    bool receive(Buffer& buffer, size_t most);
    bool read_head();
    void make_room_for_head();
    void detach_head(size_t head_bytes);
    bool begin_body(size_t limit);
    bool read_body();
    bool read_chunks();
    void fill_request();

    // connection_write.cpp: bytes out
    void respond(int status, std::string_view headers, std::string_view body, uint64_t length);
    void append_head(Buffer& out, int status, std::string_view headers);
    void append_persistence(Buffer& out);
    void send(std::span<const iovec> parts);
    void flush();
    void complete();
    void refuse(const Refusal& refusal);

    Edge& edge_;
    Transport transport_;
    RequestParser parser_;
    HttpRequest request_;
    Buffer in_;  ///< raw bytes: the current message from its first byte on, and what is pipelined behind it
    Buffer head_copy_;  ///< the head, when the body did not arrive with it
    Buffer body_;
    Buffer out_;  ///< what the socket has not taken yet
    ChunkDecoder chunks_;
    size_t body_limit_ = 0;
    size_t message_bytes_ = 0;  ///< of in_, to be consumed when the exchange ends
    size_t window_bytes_ = 0;   ///< of a body, since its rate was last looked at
    size_t linger_left_ = 0;
    std::function<void()> on_drained_;
    std::function<void()> on_closed_;
    std::string remote_address_;
    uint32_t exchanges_ = 0;  ///< begun on this connection
    Phase phase_ = Phase::head;
    bool readable_ = false;     ///< the socket may have bytes for us
    bool peer_closed_ = false;  ///< the client has closed its side
    bool owed_ = false;         ///< the handler has the exchange and has not ended it
    bool advancing_ = false;
    bool retired_ = false;
    bool in_turn_list_ = false;
    bool body_outstanding_ = false;
    bool close_after_ = false;  ///< this exchange is the last one
    bool linger_ = false;       ///< and there may be bytes of the client that nobody will read
    bool streaming_ = false;
    bool chunked_answer_ = false;
    bool body_hidden_ = false;  ///< HEAD, 204, 304: the body of the answer is not sent
    bool drained_owed_ = false;
    bool active_ = false;  ///< something happened: the idle deadline starts again
};

}  // namespace hks::net
