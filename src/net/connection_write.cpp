// SPDX-License-Identifier: Apache-2.0
// Bytes out: answers to the socket.
#include "net/connection.hpp"

#include <array>
#include <sys/socket.h>

namespace hks::net {

namespace {

constexpr size_t copied_body = 16 * 1024;  ///< a longer body is gathered, not copied
constexpr size_t flush_at_once = 64 * 1024;

iovec part_of(std::string_view bytes) {
    return {const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

void Connection::append_head(Buffer& out, int status, std::string_view headers) {
    append_status_line(out, status);
    out.append(edge_.date.text());
    out.append(headers);
}

void Connection::append_persistence(Buffer& out) {
    const RequestHead& head = parser_.head();
    // An answer before the body was read: the rest of it is not a next request.
    if (body_outstanding_) close_after_ = linger_ = true;
    if (edge_.stopping) close_after_ = true;
    if (close_after_)
        out.append("Connection: close\r\n");
    else if (!head.http11)
        out.append("Connection: keep-alive\r\n");
}

void Connection::respond(int status, std::string_view headers, std::string_view body, uint64_t length) {
    if (!owed_) return;
    if (phase_ == Phase::closed || streaming_) {
        // The client is gone; or an answer has begun, and another one in its middle can only be a cut.
        abort();
        return;
    }
    on_closed_ = nullptr;
    Buffer& head = edge_.scratch;
    head.clear();
    append_head(head, status, headers);
    if (status_has_body(status)) append_content_length(head, length);
    append_persistence(head);
    head.append("\r\n");
    if (request_.head_only || !status_has_body(status)) body = {};
    if (body.size() <= copied_body) {
        head.append(body);
        const iovec part = part_of(head.view());
        send({&part, 1});
    } else {
        const std::array<iovec, 2> parts{part_of(head.view()), part_of(body)};
        send(parts);
    }
    complete();
}

void Connection::begin(int status, std::string_view headers) {
    if (!owed_ || streaming_ || phase_ == Phase::closed) return;
    streaming_ = true;
    body_hidden_ = request_.head_only || !status_has_body(status);
    chunked_answer_ = status_has_body(status) && parser_.head().http11;
    if (!chunked_answer_ && !body_hidden_) close_after_ = true;
    append_head(out_, status, headers);
    if (chunked_answer_) out_.append("Transfer-Encoding: chunked\r\n");
    append_persistence(out_);
    out_.append("\r\n");
    if (!in_turn_list_) {
        in_turn_list_ = true;
        edge_.call_at_turn_end(*this);
    }
}

size_t Connection::write(std::string_view bytes) {
    if (!owed_ || !streaming_ || phase_ == Phase::closed) return 0;
    if (bytes.empty() || body_hidden_) return out_.size();
    drained_owed_ = true;
    if (chunked_answer_) append_chunk_size(out_, bytes.size());
    if (bytes.size() > copied_body) flush();
    if (phase_ == Phase::closed) return 0;
    const std::array<iovec, 2> parts{part_of(bytes), part_of("\r\n")};
    if (bytes.size() > copied_body && out_.empty()) {
        send(std::span(parts).first(chunked_answer_ ? 2 : 1));
    } else {
        out_.append(bytes);
        if (chunked_answer_) out_.append("\r\n");
        if (out_.size() >= flush_at_once) flush();
    }
    if (phase_ != Phase::closed && !in_turn_list_) {
        in_turn_list_ = true;
        edge_.call_at_turn_end(*this);
    }
    return out_.size();
}

void Connection::finish() {
    if (!owed_) return;
    if (phase_ == Phase::closed || !streaming_) {
        abort();
        return;
    }
    on_closed_ = nullptr;
    if (chunked_answer_ && !body_hidden_) out_.append("0\r\n\r\n");
    flush();
    complete();
}

void Connection::abort() {
    if (!owed_) return;
    on_closed_ = nullptr;
    on_drained_ = nullptr;
    owed_ = false;
    if (phase_ == Phase::closed) {
        retire_when_free();
        return;
    }
    if (!out_.empty()) flush();
    if (phase_ == Phase::closed) return;
    // An answer that ends with the connection would look complete: reset it.
    if (streaming_ && !chunked_answer_) transport_.reset_on_close();
    close_now();
}

/// Sends now what the socket takes and queues the rest.
void Connection::send(std::span<const iovec> parts) {
    if (phase_ == Phase::closed) return;
    size_t sent = 0;
    if (out_.empty()) {
        const IoResult result = transport_.write(parts);
        if (result.status == IoStatus::closed) {
            out_.clear();
            gone();
            return;
        }
        sent = result.bytes;
        edge_.metrics.sent_bytes.add(sent);
    }
    for (const iovec& part : parts) {
        const size_t skipped = std::min(sent, part.iov_len);
        sent -= skipped;
        out_.append({static_cast<const char*>(part.iov_base) + skipped, part.iov_len - skipped});
    }
}

void Connection::flush() {
    while (!out_.empty() && phase_ != Phase::closed) {
        const iovec part = part_of(out_.view());
        const IoResult result = transport_.write({&part, 1});
        if (result.status == IoStatus::closed) {
            out_.clear();
            gone();
            return;
        }
        if (result.bytes == 0) return;
        active_ = true;
        edge_.metrics.sent_bytes.add(result.bytes);
        const bool all = result.bytes == out_.size();
        out_.consume(result.bytes);
        if (all || transport_.short_read_means_drained()) return;
    }
}

/// The handler has ended the exchange.
void Connection::complete() {
    owed_ = false;
    on_drained_ = nullptr;
    if (phase_ == Phase::closed) return retire_when_free();
    active_ = true;
    advance();
}

/// The edge itself says no, and the connection ends: where the next message would begin is not known.
void Connection::refuse(const Refusal& refusal) {
    if (auto callback = std::exchange(on_closed_, nullptr)) callback();
    on_drained_ = nullptr;
    edge_.metrics.refused(refusal.status);
    if (edge_.logger.enabled(telemetry::Level::debug))
        edge_.logger.debug(
            "request refused",
            {{"status", refusal.status}, {"client", remote_address_}, {"reason", refusal.message}});
    const std::string body = edge_.handler.error_body(to_error(refusal));
    Buffer& answer = edge_.scratch;
    answer.clear();
    append_head(answer, refusal.status, "Content-Type: application/json\r\n");
    append_content_length(answer, body.size());
    answer.append("Connection: close\r\n\r\n");
    if (!parser_.head().head_only) answer.append(body);
    close_after_ = linger_ = true;
    phase_ = Phase::flushing;
    const iovec part = part_of(answer.view());
    send({&part, 1});
}

}  // namespace hks::net
