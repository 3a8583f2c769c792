// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sans-IO parser of request heads: strict RFC 9110/9112, incremental byte by byte, in place. The caller owns
// the bytes and gives the same, longer prefix again; names are lower-cased where they lie and everything
// handed out is a view. The same bytes give the same answer however they were split. Framing is decided here
// too: what cannot be read in exactly one way is refused.

#include "net/refusal.hpp"

#include <hks/core/call.hpp>
#include <hks/net/http_server.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hks::net {

struct RequestHead {
    std::string_view method;
    std::string_view target;
    std::string_view raw_path;
    std::string_view path;
    std::string_view query;
    std::string_view host;
    std::vector<Header> headers;  ///< what a handler may see
    uint64_t content_length = 0;
    bool http11 = true;
    bool has_length = false;
    bool chunked = false;
    bool keep_alive = true;
    bool expects_continue = false;
    bool head_only = false;
};

class RequestParser {
  public:
    enum class Status { need_more, done, refused };

    explicit RequestParser(const HttpLimits& limits) : limits_(limits) { head_.headers.reserve(16); }

    /// `data` begins at the first byte of the message; `size` only grows between two reset().
    Status parse(char* data, size_t size);
    /// The `size` bytes that were at address `from` are at `to` now: every view follows.
    void relocate(uintptr_t from, size_t size, const char* to);
    void reset();

    const RequestHead& head() const { return head_; }
    const Refusal& refusal() const { return refusal_; }
    size_t consumed() const { return position_; }  ///< once done: bytes of the head
    bool started() const { return state_ != State::start || position_ != 0; }

  private:
    enum class State : uint8_t {
        start,
        start_lf,
        method,
        target,
        version,
        line_lf,
        field_start,
        name,
        value_start,
        value,
        value_lf,
        end_lf,
        done,
        refused
    };
    struct Seen {
        bool host = false, transfer_encoding = false, expect = false, underscore = false;
    };

    void step(char* data, char*& p, char* end);
    void scan_start(char*& p);
    void scan_method(char* data, char*& p, char* end);
    void scan_target(char* data, char*& p, char* end);
    void scan_version(char* data, char*& p, char* end);
    void scan_field_start(char* data, char*& p);
    void scan_name(char* data, char*& p, char* end);
    void scan_value(char* data, char*& p, char* end);
    void expect_lf(char*& p, State next);
    void refuse(int status, const char* message);

    void finish_request_line();
    void finish_field();
    void take_framing(std::string_view value, bool is_length);
    void take_connection(std::string_view value);
    void finish_head();
    void drop_nominated();

    const HttpLimits& limits_;
    RequestHead head_;
    Refusal refusal_;
    State state_ = State::start;
    Seen seen_;
    uint32_t fields_ = 0;
    size_t position_ = 0;       ///< bytes looked at
    size_t message_begin_ = 0;  ///< after an ignored empty line
    size_t mark_ = 0;           ///< where the current token began
    size_t fields_begin_ = 0;
    std::string_view name_;
    std::string_view version_;
    std::string path_storage_;
    std::vector<std::string_view> connection_;  ///< values of Connection fields that name other fields
    bool asked_close_ = false;
    bool asked_keep_alive_ = false;
};

/// Index of the first byte that may not stand in a field value, or `size`.
size_t find_value_end(const char* data, size_t size);

}  // namespace hks::net
