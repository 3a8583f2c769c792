// SPDX-License-Identifier: Apache-2.0
// What the fields of a request head mean: framing, persistence, the Host rule, and which fields a handler may
// see.
#include "net/characters.hpp"
#include "net/request_parser.hpp"
#include "net/request_target.hpp"

#include <algorithm>
#include <array>

namespace hks::net {

namespace {

enum class Field { ordinary, dropped, host, connection, content_length, transfer_encoding, expect };

/// Names arrive in lower case. Dropped: hop-by-hop fields (RFC 9110 section 7.6.1), what only a trusted proxy
/// may say, and the platform's own names.
Field classify(std::string_view name) {
    switch (name.front()) {
        case 'c':
            if (name == "connection") return Field::connection;
            return name == "content-length" ? Field::content_length : Field::ordinary;
        case 'e':
            return name == "expect" ? Field::expect : Field::ordinary;
        case 'f':
            return name == "forwarded" ? Field::dropped : Field::ordinary;
        case 'h':
            return name == "host" ? Field::host : Field::ordinary;
        case 'k':
            return name == "keep-alive" ? Field::dropped : Field::ordinary;
        case 'p':
            return name.starts_with("proxy-") ? Field::dropped : Field::ordinary;
        case 't':
            if (name == "transfer-encoding") return Field::transfer_encoding;
            return name == "te" || name == "trailer" ? Field::dropped : Field::ordinary;
        case 'u':
            return name == "upgrade" ? Field::dropped : Field::ordinary;
        case 'x':
            return name.starts_with("x-forwarded-") || name.starts_with("x-hks-") ? Field::dropped
                                                                                  : Field::ordinary;
        default:
            return Field::ordinary;
    }
}

constexpr std::array<std::string_view, 7> known_methods{"GET",    "HEAD",  "POST",   "PUT",
                                                        "DELETE", "PATCH", "OPTIONS"};

/// Fields that a sender cannot call hop-by-hop: a proxy that obeyed would change the meaning of the message.
constexpr std::array<std::string_view, 12> protected_fields{
    "host",          "content-length", "transfer-encoding",
    "authorization", "content-type",   "content-encoding",
    "cookie",        "expect",         "date",
    "cache-control", "range",          "content-range"};

std::string_view next_token(std::string_view& list) {
    const size_t comma = list.find(',');
    std::string_view token = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    while (!token.empty() && (token.front() == ' ' || token.front() == '\t')) token.remove_prefix(1);
    while (!token.empty() && (token.back() == ' ' || token.back() == '\t')) token.remove_suffix(1);
    return token;
}

constexpr const char* bad_connection =
    "The Connection field is malformed or names a field that may not be removed. Send 'close' or "
    "'keep-alive'.";

}  // namespace

void RequestParser::finish_request_line() {
    if (!version_.starts_with("HTTP/") || !is_class(version_[5], class_digit) || version_[6] != '.' ||
        !is_class(version_[7], class_digit))
        return refuse(400, "The request line is malformed. End it with HTTP/1.1 and CR LF.");
    if (version_[5] != '1' || version_[7] > '1')
        return refuse(505, "This HTTP version is not spoken here. Use HTTP/1.1.");
    head_.http11 = version_[7] == '1';
    if (std::find(known_methods.begin(), known_methods.end(), head_.method) == known_methods.end())
        return refuse(501,
                      "This method is not known here. Use GET, HEAD, POST, PUT, DELETE, PATCH or OPTIONS.");
    head_.head_only = head_.method == "HEAD";
    state_ = State::line_lf;
}

/// The field is the last one in head_.headers; it stays there when a handler may see it.
void RequestParser::finish_field() {
    const std::string_view value = head_.headers.back().value;
    if (seen_.underscore) {
        // Behind a CGI-like boundary a_b and a-b would be one name.
        head_.headers.pop_back();
        return;
    }
    switch (classify(name_)) {
        case Field::ordinary:
            return;
        case Field::dropped:
            head_.headers.pop_back();
            return;
        case Field::host:
            if (seen_.host) return refuse(400, "There is more than one Host field. Send exactly one.");
            seen_.host = true;
            head_.host = value;
            return;
        case Field::content_length:
            return take_framing(value, true);
        case Field::transfer_encoding:
            head_.headers.pop_back();
            return take_framing(value, false);
        case Field::connection:
            head_.headers.pop_back();
            return take_connection(value);
        case Field::expect:
            head_.headers.pop_back();
            if (!equals_ignoring_case(value, "100-continue") || seen_.expect)
                return refuse(417, "This expectation cannot be met. Send 'Expect: 100-continue' or nothing.");
            seen_.expect = true;
            return;
    }
}

/// RFC 9112 section 6: one length or one chunked coding, never both, never a list.
void RequestParser::take_framing(std::string_view value, bool is_length) {
    if (is_length ? head_.has_length : seen_.transfer_encoding)
        return refuse(
            400, "The length of the body is given twice. Send Content-Length or Transfer-Encoding once.");
    if (!is_length) {
        seen_.transfer_encoding = true;
        if (!equals_ignoring_case(value, "chunked"))
            return refuse(400,
                          "This transfer coding is not accepted. Send exactly 'Transfer-Encoding: chunked'.");
        head_.chunked = true;
        return;
    }
    // 18 digits cannot overflow, and nobody sends an exabyte.
    if (value.empty() || value.size() > 18 || !all_of_class(value, class_digit) ||
        (value.size() > 1 && value.front() == '0'))
        return refuse(
            400, "Content-Length is not a plain decimal number. Send digits only, without leading zeros.");
    head_.has_length = true;
    for (char c : value) head_.content_length = head_.content_length * 10 + static_cast<uint64_t>(c - '0');
}

void RequestParser::take_connection(std::string_view value) {
    bool names_fields = false;
    for (std::string_view list = value; !list.empty();) {
        const std::string_view token = next_token(list);
        if (token.empty()) continue;  // RFC 9110 section 5.6.1.2: empty elements are ignored
        if (!all_of_class(token, class_token)) return refuse(400, bad_connection);
        if (equals_ignoring_case(token, "close"))
            asked_close_ = true;
        else if (equals_ignoring_case(token, "keep-alive"))
            asked_keep_alive_ = true;
        else
            names_fields = true;
    }
    if (names_fields) connection_.push_back(value);
}

void RequestParser::drop_nominated() {
    for (std::string_view list : connection_) {
        while (!list.empty()) {
            const std::string_view token = next_token(list);
            const auto is_token = [&](std::string_view name) { return equals_ignoring_case(token, name); };
            if (std::any_of(protected_fields.begin(), protected_fields.end(), is_token))
                return refuse(400, bad_connection);
            std::erase_if(head_.headers, [&](const Header& header) { return is_token(header.name); });
        }
    }
}

void RequestParser::finish_head() {
    if (seen_.host ? !is_valid_authority(head_.host) : head_.http11)
        return refuse(400, "The Host field is missing or malformed. Send exactly one, as host or host:port.");
    TargetParts parts;
    refusal_ = split_target(head_.target, head_.method == "OPTIONS", parts);
    if (refusal_) return refuse(refusal_.status, refusal_.message);
    if (!parts.authority.empty() && !equals_ignoring_case(parts.authority, head_.host))
        return refuse(
            400, "The URL of the request line and the Host field differ. Send the same authority in both.");
    head_.raw_path = parts.raw_path;
    head_.query = parts.query;
    refusal_ = normalise_path(parts.raw_path, path_storage_, head_.path);
    if (refusal_) return refuse(refusal_.status, refusal_.message);

    if (head_.chunked && head_.has_length)
        return refuse(400, "Content-Length and Transfer-Encoding contradict each other. Send one of them.");
    if (head_.chunked && !head_.http11)
        return refuse(400, "HTTP/1.0 has no chunked bodies. Send Content-Length or use HTTP/1.1.");
    head_.keep_alive = head_.http11 ? !asked_close_ : asked_keep_alive_ && !asked_close_;
    // RFC 9110 section 10.1.1: an HTTP/1.0 client does not wait for 100, and without a body there is nothing
    // to wait for.
    head_.expects_continue = seen_.expect && head_.http11 && (head_.chunked || head_.content_length > 0);
    if (!connection_.empty()) drop_nominated();
}

}  // namespace hks::net
