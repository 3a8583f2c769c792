// SPDX-License-Identifier: Apache-2.0
// The scanner: bytes to tokens. What the fields mean is in request_fields.cpp.
#include "net/request_parser.hpp"

#include "net/characters.hpp"

#include <algorithm>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace hks::net {

namespace {

/// tchar → its lower case; 0 for every other byte.
consteval std::array<char, 256> make_name_table() {
    std::array<char, 256> table{};
    for (unsigned c = 0; c < 256; ++c)
        if (character_classes[c] & class_token) table[c] = to_lower(static_cast<char>(c));
    return table;
}
constexpr std::array<char, 256> name_table = make_name_table();

}  // namespace

size_t find_value_end(const char* data, size_t size) {
    size_t i = 0;
#ifdef __SSE2__
    const __m128i tab = _mm_set1_epi8('\t');
    const __m128i del = _mm_set1_epi8(0x7f);
    const __m128i last_control = _mm_set1_epi8(0x1f);
    for (; i + 16 <= size; i += 16) {
        const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + i));
        // min(v, 0x1f) == v: unsigned v <= 0x1f.
        const __m128i control =
            _mm_andnot_si128(_mm_cmpeq_epi8(v, tab), _mm_cmpeq_epi8(_mm_min_epu8(v, last_control), v));
        const int bad = _mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(v, del)));
        if (bad != 0) return i + static_cast<size_t>(__builtin_ctz(static_cast<unsigned>(bad)));
    }
#endif
    while (i < size && is_class(data[i], class_value)) ++i;
    return i;
}

void RequestParser::reset() {
    head_.headers.clear();
    if (head_.headers.capacity() > 32) {
        head_.headers.shrink_to_fit();
        head_.headers.reserve(16);
    }
    if (path_storage_.capacity() > 512) std::string().swap(path_storage_);
    head_.method = head_.target = head_.raw_path = head_.path = head_.query = head_.host = {};
    head_.content_length = 0;
    head_.http11 = head_.keep_alive = true;
    head_.has_length = head_.chunked = head_.expects_continue = head_.head_only = false;
    refusal_ = {};
    state_ = State::start;
    seen_ = {};
    fields_ = 0;
    position_ = message_begin_ = mark_ = fields_begin_ = 0;
    name_ = version_ = {};
    connection_.clear();
    asked_close_ = asked_keep_alive_ = false;
}

void RequestParser::relocate(uintptr_t from, size_t size, const char* to) {
    if (from == reinterpret_cast<uintptr_t>(to)) return;
    const auto move = [&](std::string_view& view) {
        const auto offset = reinterpret_cast<uintptr_t>(view.data()) - from;
        if (view.data() != nullptr && offset <= size) view = {to + offset, view.size()};
    };
    for (auto* view : {&head_.method, &head_.target, &head_.raw_path, &head_.path, &head_.query, &head_.host,
                       &name_, &version_})
        move(*view);
    for (Header& header : head_.headers) {
        move(header.name);
        move(header.value);
    }
    for (std::string_view& value : connection_) move(value);
}

void RequestParser::refuse(int status, const char* message) {
    refusal_ = {status, message};
    state_ = State::refused;
}

RequestParser::Status RequestParser::parse(char* data, size_t size) {
    char* p = data + position_;
    char* const end = data + size;
    while (state_ < State::done) {
        // No byte of the line or of the fields lies at or behind its limit, whether it has arrived already or
        // not.
        const bool in_line = state_ <= State::line_lf;
        char* const limit = in_line ? data + message_begin_ + limits_.request_line
                                    : data + fields_begin_ + limits_.header_bytes;
        if (p == limit) {
            if (in_line)
                refuse(414, "The request line is too long. Shorten the URL, or send the data as a body.");
            else
                refuse(431, "The header fields are too large. Send fewer or shorter ones.");
            break;
        }
        if (p == end) break;
        step(data, p, std::min(end, limit));
    }
    position_ = static_cast<size_t>(p - data);
    if (state_ == State::done) return Status::done;
    return state_ == State::refused ? Status::refused : Status::need_more;
}

/// One token, or as much of it as lies before `end`. There is at least one byte.
void RequestParser::step(char* data, char*& p, char* end) {
    switch (state_) {
        case State::start:
            scan_start(p);
            break;
        case State::start_lf:
            expect_lf(p, State::method);
            message_begin_ = mark_ = static_cast<size_t>(p - data);
            break;
        case State::method:
            scan_method(data, p, end);
            break;
        case State::target:
            scan_target(data, p, end);
            break;
        case State::version:
            scan_version(data, p, end);
            break;
        case State::line_lf:
            expect_lf(p, State::field_start);
            fields_begin_ = static_cast<size_t>(p - data);
            break;
        case State::field_start:
            scan_field_start(data, p);
            break;
        case State::name:
            scan_name(data, p, end);
            break;
        case State::value_start:
            while (p != end && (*p == ' ' || *p == '\t')) ++p;
            if (p == end) break;
            mark_ = static_cast<size_t>(p - data);
            state_ = State::value;
            break;
        case State::value:
            scan_value(data, p, end);
            break;
        case State::value_lf:
            expect_lf(p, State::field_start);
            break;
        case State::end_lf:
            expect_lf(p, State::done);
            if (state_ == State::done) finish_head();
            break;
        case State::done:
        case State::refused:
            break;
    }
}

void RequestParser::expect_lf(char*& p, State next) {
    if (*p != '\n')
        return refuse(400, "A line of the head has a carriage return inside. End lines with CR LF.");
    ++p;
    state_ = next;
}

/// RFC 9112 section 2.2: an empty line before the request line is tolerated; one, not any number.
void RequestParser::scan_start(char*& p) {
    if (*p == '\r') {
        ++p;
        state_ = State::start_lf;
    } else {
        state_ = State::method;
    }
}

void RequestParser::scan_method(char* data, char*& p, char* end) {
    while (p < end && is_class(*p, class_token)) ++p;
    if (p >= end) return;
    if (*p != ' ' || p == data + mark_)
        return refuse(400, "The request line is malformed. Begin it with a method and one space.");
    head_.method = {data + mark_, static_cast<size_t>(p - data) - mark_};
    mark_ = static_cast<size_t>(++p - data);
    state_ = State::target;
}

void RequestParser::scan_target(char* data, char*& p, char* end) {
    while (p < end && is_class(*p, class_target)) ++p;
    if (p >= end) return;
    if (*p != ' ' || p == data + mark_)
        return refuse(400, "The request target has a character that may not stand there. Percent-encode it.");
    head_.target = {data + mark_, static_cast<size_t>(p - data) - mark_};
    mark_ = static_cast<size_t>(++p - data);
    state_ = State::version;
}

void RequestParser::scan_version(char* data, char*& p, char* end) {
    constexpr size_t version_bytes = 8;  // "HTTP/1.1"
    end = std::min(end, data + mark_ + version_bytes + 1);
    while (p < end && is_class(*p, class_target)) ++p;
    const size_t length = static_cast<size_t>(p - data) - mark_;
    if (p == end && length <= version_bytes) return;
    if (p == end || *p != '\r' || length != version_bytes)
        return refuse(400, "The request line is malformed. End it with HTTP/1.1 and CR LF.");
    version_ = {data + mark_, length};
    ++p;
    return finish_request_line();
}

void RequestParser::scan_field_start(char* data, char*& p) {
    if (*p == '\r') {
        ++p;
        state_ = State::end_lf;
        return;
    }
    if (*p == ' ' || *p == '\t')
        return refuse(400, "A header field is folded over two lines. Write every field in one line.");
    if (fields_ == limits_.header_count) return refuse(431, "There are too many header fields. Send fewer.");
    ++fields_;
    mark_ = static_cast<size_t>(p - data);
    seen_.underscore = false;
    state_ = State::name;
}

void RequestParser::scan_name(char* data, char*& p, char* end) {
    bool underscore = false;
    while (p < end) {
        const char lower = name_table[static_cast<uint8_t>(*p)];
        if (lower == 0) break;
        underscore |= lower == '_';
        *p++ = lower;
    }
    seen_.underscore |= underscore;
    if (p >= end) return;
    if (*p != ':' || p == data + mark_)
        return refuse(
            400, "A header field is malformed. Write it as 'Name: value', without a space before the colon.");
    name_ = {data + mark_, static_cast<size_t>(p - data) - mark_};
    ++p;
    state_ = State::value_start;
}

void RequestParser::scan_value(char* data, char*& p, char* end) {
    p += find_value_end(p, static_cast<size_t>(end - p));
    if (p >= end) return;
    if (*p != '\r')
        return refuse(
            400,
            "A header field has a control character or a bare line feed in its value. End lines with CR LF.");
    state_ = State::value_lf;
    char* value_end = p++;
    char* const begin = data + mark_;
    while (value_end > begin && (value_end[-1] == ' ' || value_end[-1] == '\t')) --value_end;
    head_.headers.push_back({name_, {begin, static_cast<size_t>(value_end - begin)}});
    return finish_field();
}

}  // namespace hks::net
