// SPDX-License-Identifier: Apache-2.0
// Bytes in: from the socket to a checked request.
#include "net/connection.hpp"

#include <algorithm>

namespace hks::net {

namespace {

constexpr size_t first_read_buffer = 4 * 1024;
constexpr size_t chunk_read_buffer = 16 * 1024;
constexpr size_t first_body_buffer = 64 * 1024;

}  // namespace

/// One read into the buffer's room. False: there is nothing to go on with (nothing came, or the connection is
/// over).
bool Connection::receive(Buffer& buffer, size_t most) {
    if (!readable_) return false;
    const size_t room = std::min(buffer.room_size(), most);
    const IoResult result = transport_.read(buffer.room(), room);
    if (result.status == IoStatus::would_block) {
        readable_ = false;
        return false;
    }
    if (result.status == IoStatus::closed) {
        close_now();
        return false;
    }
    buffer.commit(result.bytes);
    edge_.metrics.received_bytes.add(result.bytes);
    // Edge-triggered: a short read has emptied the socket and the next byte raises an event. Only the end of
    // the stream may have been announced already.
    if (result.bytes < room && transport_.short_read_means_drained()) readable_ = peer_closed_;
    return true;
}

bool Connection::read_head() {
    if (!in_.empty()) {
        switch (parser_.parse(in_.data(), in_.size())) {
            case RequestParser::Status::done:
                return start_exchange();
            case RequestParser::Status::refused:
                refuse(parser_.refusal());
                return true;
            case RequestParser::Status::need_more:
                break;
        }
    } else if (edge_.stopping && exchanges_ > 0 && !readable_) {
        close_now();
        return false;
    }
    if (!readable_) return false;
    make_room_for_head();
    return receive(in_, in_.room_size());
}

/// Free room behind what is there. The parser's limits bound how far this goes.
void Connection::make_room_for_head() {
    if (in_.capacity() == 0) in_.reserve(first_read_buffer);
    if (in_.room_size() > 0) return;
    const auto before = reinterpret_cast<uintptr_t>(in_.data());
    const size_t size = in_.size();
    in_.compact();
    parser_.relocate(before, size, in_.data());
    if (in_.room_size() > 0) return;
    const auto compacted = reinterpret_cast<uintptr_t>(in_.data());
    in_.reserve(in_.capacity() * 2);
    parser_.relocate(compacted, size, in_.data());
}

/// The body comes later and needs room: the head moves to where it can stay until the exchange ends.
void Connection::detach_head(size_t head_bytes) {
    head_copy_.clear();
    head_copy_.append(in_.view().substr(0, head_bytes));
    parser_.relocate(reinterpret_cast<uintptr_t>(in_.data()), head_bytes, head_copy_.data());
    in_.consume(head_bytes);
}

void Connection::fill_request() {
    const RequestHead& head = parser_.head();
    request_.method = head.method;
    request_.target = head.target;
    request_.raw_path = head.raw_path;
    request_.path = head.path;
    request_.query = head.query;
    request_.headers = head.headers;
    request_.body = {};
    request_.host = head.host;
    request_.head_only = head.head_only;
    request_.expects_continue = head.expects_continue;
    request_.content_length = head.content_length;
    request_.chunked = head.chunked;
}

bool Connection::begin_body(size_t limit) {
    const RequestHead& head = parser_.head();
    phase_ = Phase::body;
    body_limit_ = limit;
    window_bytes_ = 0;
    edge_.spare.lend(body_);
    if (head.expects_continue && in_.empty()) {
        constexpr std::string_view line = "HTTP/1.1 100 Continue\r\n\r\n";
        const iovec part{const_cast<char*>(line.data()), line.size()};
        send({&part, 1});
        if (phase_ == Phase::closed) return false;
    }
    if (head.chunked) {
        chunks_.reset(limit);
    } else {
        body_.reserve(std::min<size_t>(head.content_length, first_body_buffer));
        body_.append(in_.view());
        in_.clear();
    }
    return true;
}

bool Connection::read_body() {
    const RequestHead& head = parser_.head();
    if (head.chunked) return read_chunks();
    if (body_.size() == head.content_length) {
        dispatch(body_.view());
        return true;
    }
    if (body_.room_size() == 0) body_.reserve(std::min<size_t>(head.content_length, body_.capacity() * 2));
    const size_t before = body_.size();
    if (!receive(body_, head.content_length - before)) return false;
    window_bytes_ += body_.size() - before;
    return true;
}

bool Connection::read_chunks() {
    if (!in_.empty()) {
        size_t consumed = 0;
        const ChunkDecoder::Status status = chunks_.feed(in_.view(), body_, consumed);
        in_.consume(consumed);
        if (status == ChunkDecoder::Status::done) {
            dispatch(body_.view());
            return true;
        }
        if (status == ChunkDecoder::Status::refused) {
            refuse(chunks_.refusal());
            return true;
        }
    }
    in_.reserve(chunk_read_buffer);
    const size_t before = in_.size();
    if (!receive(in_, in_.room_size())) return false;
    window_bytes_ += in_.size() - before;
    return true;
}

}  // namespace hks::net
