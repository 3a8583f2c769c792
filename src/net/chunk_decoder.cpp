// SPDX-License-Identifier: Apache-2.0
#include "net/chunk_decoder.hpp"

#include "net/characters.hpp"

#include <algorithm>

namespace hks::net {

namespace {

constexpr unsigned max_size_digits = 16;
constexpr const char* bad_chunk =
    "A chunk of the body is malformed. Send a hexadecimal size, CR LF, the data, CR LF.";
constexpr const char* bad_extension = "A chunk extension is malformed. Send chunks without extensions.";
constexpr const char* bad_trailer = "A trailer field is malformed. Send none, or 'Name: value' lines.";

}  // namespace

void ChunkDecoder::reset(size_t body_limit) {
    refusal_ = {};
    state_ = State::size;
    left_ = 0;
    digits_ = 0;
    body_limit_ = body_limit;
    extension_bytes_ = trailer_bytes_ = trailers_ = 0;
}

void ChunkDecoder::refuse(int status, const char* message) {
    refusal_ = {status, message};
    state_ = State::refused;
}

void ChunkDecoder::expect(char c, char wanted, State next) {
    if (c == wanted)
        state_ = next;
    else
        refuse(400, bad_chunk);
}

ChunkDecoder::Status ChunkDecoder::feed(std::string_view input, Buffer& body, size_t& consumed) {
    const char* p = input.data();
    const char* const end = p + input.size();
    while (p != end && state_ < State::done) step(p, end, body);
    consumed = static_cast<size_t>(p - input.data());
    if (state_ == State::done) return Status::done;
    return state_ == State::refused ? Status::refused : Status::need_more;
}

void ChunkDecoder::step(const char*& p, const char* end, Buffer& body) {
    switch (state_) {
        case State::size:
        case State::size_more:
            if (is_class(*p, class_hex))
                take_size_digit(*p++);
            else if (state_ == State::size)
                refuse(400, bad_chunk);
            else
                take_after_size(*p++);
            break;
        case State::extension_start:
        case State::extension:
            take_extension(p, end);
            break;
        case State::size_lf:
            expect(*p++, '\n', left_ > 0 ? State::data : State::trailer_start);
            digits_ = 0;
            break;
        case State::data:
            take_data(p, end, body);
            break;
        case State::data_cr:
            expect(*p++, '\r', State::data_lf);
            break;
        case State::data_lf:
            expect(*p++, '\n', State::size);
            break;
        case State::trailer_start:
        case State::trailer_name:
        case State::trailer_value:
            take_trailer(p, end);
            break;
        case State::trailer_lf:
            expect(*p++, '\n', State::trailer_start);
            break;
        case State::end_lf:
            expect(*p++, '\n', State::done);
            break;
        case State::done:
        case State::refused:
            break;
    }
}

void ChunkDecoder::take_size_digit(char c) {
    if (digits_++ == max_size_digits) return refuse(400, bad_chunk);
    left_ = left_ * 16 + static_cast<uint64_t>(hex_value(c));
    state_ = State::size_more;
}

/// No white space after the size: RFC 9112 allows it only before an extension, and it has hidden requests
/// before.
void ChunkDecoder::take_after_size(char c) {
    if (c == '\r')
        state_ = State::size_lf;
    else if (c == ';')
        state_ = State::extension_start;
    else
        refuse(400, bad_chunk);
}

void ChunkDecoder::take_extension(const char*& p, const char* end) {
    while (p != end) {
        const char c = *p++;
        if (c == '\r' && state_ == State::extension) {
            state_ = State::size_lf;
            return;
        }
        if (!is_class(c, class_value) || static_cast<unsigned char>(c) >= 0x80)
            return refuse(400, bad_extension);
        if (state_ == State::extension_start) {
            if (is_class(c, class_token))
                state_ = State::extension;
            else if (c != ' ' && c != '\t')
                return refuse(400, bad_extension);
        }
        if (++extension_bytes_ > limits_.chunk_extension_bytes)
            return refuse(400, "The chunk extensions are too large. Send chunks without extensions.");
    }
}

void ChunkDecoder::take_data(const char*& p, const char* end, Buffer& body) {
    if (left_ > body_limit_ || body.size() > body_limit_ - left_)
        return refuse(413,
                      "The request body is too large for this address. Send less, or have the limit raised.");
    const size_t size = std::min(static_cast<uint64_t>(end - p), left_);
    body.append({p, size});
    p += size;
    left_ -= size;
    if (left_ == 0) state_ = State::data_cr;
}

void ChunkDecoder::take_trailer(const char*& p, const char* end) {
    while (p != end) {
        const char c = *p++;
        if (++trailer_bytes_ > limits_.header_bytes)
            return refuse(431, "The trailer fields are too large. Send none.");
        if (state_ == State::trailer_start) {
            if (c == '\r') {
                state_ = State::end_lf;
                return;
            }
            if (++trailers_ > limits_.header_count)
                return refuse(431, "There are too many trailer fields. Send none.");
            if (!is_class(c, class_token)) return refuse(400, bad_trailer);
            state_ = State::trailer_name;
        } else if (state_ == State::trailer_name) {
            if (c == ':')
                state_ = State::trailer_value;
            else if (!is_class(c, class_token))
                return refuse(400, bad_trailer);
        } else if (c == '\r') {
            state_ = State::trailer_lf;
            return;
        } else if (!is_class(c, class_value)) {
            return refuse(400, bad_trailer);
        }
    }
}

}  // namespace hks::net
