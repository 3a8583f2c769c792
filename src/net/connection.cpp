// SPDX-License-Identifier: Apache-2.0
#include "net/connection.hpp"

#include <sys/epoll.h>

namespace hks::net {

namespace {

constexpr size_t linger_bytes = 64 * 1024;
constexpr size_t kept_read_buffer = 4 * 1024;
constexpr size_t kept_buffer = 2 * 1024;
constexpr size_t body_window_seconds = 5;

}  // namespace

Connection::Connection(Edge& edge, int fd, SslPtr ssl, std::string_view remote_address)
    : edge_(edge),
      transport_(fd, std::move(ssl)),
      parser_(edge.limits),
      chunks_(edge.limits),
      remote_address_(remote_address) {
    request_.remote_address = remote_address_;
}

Connection::~Connection() {
    edge_.deadlines.watch(*this, Watch::none);
}

void Connection::start() {
    phase_ = transport_.is_tls() ? Phase::handshake : Phase::head;
    update_watch();
}

void Connection::on_poll(uint32_t events) {
    if (phase_ == Phase::closed) return;
    if ((events & EPOLLIN) != 0) readable_ = true;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = peer_closed_ = true;
    if (!out_.empty()) {
        flush();
        if (drained_owed_ && out_.empty()) on_turn_end();
    }
    advance();
}

void Connection::advance() {
    if (advancing_) return;
    advancing_ = true;
    while (advance_once()) {
    }
    advancing_ = false;
    update_watch();
}

bool Connection::advance_once() {
    switch (phase_) {
        case Phase::handshake: {
            const IoStatus status = transport_.handshake();
            if (status == IoStatus::would_block) return false;
            if (status == IoStatus::ok)
                phase_ = Phase::head;
            else
                close_now();
            return true;
        }
        case Phase::head:
            return read_head();
        case Phase::body:
            return read_body();
        case Phase::handler:
            if (owed_) {
                if (peer_closed_) gone();
                return false;
            }
            phase_ = Phase::flushing;
            return true;
        case Phase::flushing:
            return out_.empty() && end_exchange();
        case Phase::lingering:
            return drain_before_close();
        case Phase::closed:
            return false;
    }
    return false;
}

/// The head is complete.
bool Connection::start_exchange() {
    const RequestHead& head = parser_.head();
    const size_t head_bytes = parser_.consumed();
    const bool whole = !head.chunked && head.content_length <= in_.size() - head_bytes;
    message_bytes_ = whole ? head_bytes + head.content_length : 0;
    body_outstanding_ = !whole;
    if (!whole) detach_head(head_bytes);
    fill_request();
    ++exchanges_;
    close_after_ = !head.keep_alive;
    owed_ = true;
    phase_ = Phase::handler;
    const size_t limit = edge_.handler.on_head(*this);
    if (!owed_ || streaming_ || phase_ == Phase::closed) return true;
    owed_ = false;
    if (head.content_length > limit) {
        refuse({413, "The request body is too large for this address. Send less, or have the limit raised."});
        return true;
    }
    if (whole) {
        dispatch(in_.view().substr(head_bytes, head.content_length));
        return true;
    }
    return begin_body(limit);
}

void Connection::dispatch(std::string_view body) {
    request_.body = body;
    body_outstanding_ = false;
    owed_ = true;
    phase_ = Phase::handler;
    edge_.handler.on_request(*this);
}

/// The answer has been sent as a whole.
bool Connection::end_exchange() {
    if (close_after_) {
        const bool unread = linger_ || in_.size() > message_bytes_ || (readable_ && !peer_closed_);
        if (!unread) {
            if (transport_.is_tls()) transport_.shutdown_write();
            close_now();
            return false;
        }
        transport_.shutdown_write();
        linger_left_ = linger_bytes;
        phase_ = Phase::lingering;
        return true;
    }
    in_.consume(message_bytes_);
    message_bytes_ = 0;
    if (in_.empty()) in_.reset(2 * kept_read_buffer);
    head_copy_.reset(kept_buffer);
    out_.reset(kept_buffer);
    if (body_.capacity() > 0) edge_.spare.take_back(body_);
    parser_.reset();
    streaming_ = chunked_answer_ = body_hidden_ = drained_owed_ = linger_ = false;
    active_ = true;
    phase_ = Phase::head;
    return true;
}

/// RFC 9112 section 9.6: closing with bytes unread would reset the connection and might take the answer away
/// from the client. Reads a bounded rest.
bool Connection::drain_before_close() {
    if (!readable_) return false;
    Buffer& scratch = edge_.scratch;
    scratch.clear();
    scratch.reserve(16 * 1024);
    const size_t before = scratch.size();
    if (!receive(scratch, scratch.room_size())) return false;
    const size_t bytes = scratch.size() - before;
    scratch.clear();
    if (bytes >= linger_left_) {
        close_now();
        return false;
    }
    linger_left_ -= bytes;
    return true;
}

/// The client went away while an exchange was open.
void Connection::gone() {
    close_now();
    if (auto callback = std::exchange(on_closed_, nullptr)) callback();
}

void Connection::close_now() {
    if (phase_ == Phase::closed) return;
    phase_ = Phase::closed;
    transport_.close();
    edge_.deadlines.watch(*this, Watch::none);
    edge_.metrics.open_connections.add(-1);
    if (!owed_) {
        // A handler that chose a limit in on_head() may wait for a request that will never be complete.
        if (auto callback = std::exchange(on_closed_, nullptr)) callback();
    }
    retire_when_free();
}

/// A closed connection stays until the handler has given its exchange back.
void Connection::retire_when_free() {
    if (phase_ != Phase::closed || owed_ || retired_) return;
    retired_ = true;
    edge_.retire(*this);
}

void Connection::update_watch() {
    Watch wanted = Watch::none;
    if (!out_.empty() && phase_ != Phase::closed) {
        wanted = Watch::write;
    } else {
        switch (phase_) {
            case Phase::handshake:
                wanted = Watch::head;
                break;
            case Phase::head:
                wanted = in_.empty() && exchanges_ > 0 ? Watch::idle : Watch::head;
                break;
            case Phase::body:
                wanted = Watch::body;
                break;
            case Phase::lingering:
                wanted = Watch::linger;
                break;
            case Phase::handler:
            case Phase::flushing:
            case Phase::closed:
                break;
        }
    }
    if (edge_.stopping && phase_ == Phase::head && in_.empty()) wanted = Watch::stop;
    // These begin anew with every answer and every byte taken; the others limit the whole of something.
    const bool restart =
        active_ && (wanted == Watch::idle || wanted == Watch::write || wanted == Watch::head);
    active_ = false;
    if (wanted != WatchHook::kind || restart) edge_.deadlines.watch(*this, wanted);
}

void Connection::on_expired(Watch kind) {
    switch (kind) {
        case Watch::head:
            if (phase_ == Phase::head && !in_.empty())
                refuse({408, "The request did not arrive in time. Send it at once."});
            else
                close_now();
            break;
        case Watch::body:
            if (window_bytes_ < body_window_seconds * edge_.limits.min_body_rate) {
                refuse({408, "The request body arrives too slowly. Send it faster."});
            }
            window_bytes_ = 0;
            break;
        case Watch::write:
            gone();
            break;
        case Watch::none:
        case Watch::idle:
        case Watch::linger:
        case Watch::stop:
            close_now();
            break;
    }
    advance();
}

void Connection::on_turn_end() {
    in_turn_list_ = false;
    if (phase_ == Phase::closed) return;
    flush();
    if (streaming_ && owed_ && drained_owed_ && out_.empty()) {
        drained_owed_ = false;
        // The callback may end this exchange, or set another one: it is not called in place.
        auto callback = std::exchange(on_drained_, nullptr);
        const uint32_t exchange = exchanges_;
        if (callback) callback();
        if (owed_ && exchange == exchanges_ && !on_drained_) on_drained_ = std::move(callback);
    }
    advance();
}

/// The server stops: what has been asked already is answered, what idles ends.
void Connection::on_stop() {
    if (phase_ == Phase::handshake) return close_now();
    if (phase_ != Phase::head || !in_.empty()) return;
    readable_ = true;
    advance();
    if (phase_ == Phase::head && in_.empty() && exchanges_ > 0) close_now();
}

}  // namespace hks::net
