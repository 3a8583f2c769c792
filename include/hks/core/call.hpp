// SPDX-License-Identifier: Apache-2.0
#pragma once
// One invocation on its way through the platform: what the function gets to see, and where its answer goes.
// A Call is owned by whoever made it (a gateway connection, the API, the build's smoke call), lives on the loop
// thread, and must outlive its end: exactly one of on_failed() or an on_response()/on_chunk() with end = true is the
// last thing that happens to it, unless the owner cancels it first. Nothing here allocates.

#include <hks/core/clock.hpp>
#include <hks/core/error.hpp>
#include <hks/core/ids.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hks {

struct Header {
    std::string_view name;  ///< lower case
    std::string_view value;
};

/// What the function sees of an HTTP request (contract, section 5). Views into memory that the Call's owner keeps
/// until the call has ended. Names were checked, hop-by-hop headers and platform tokens already taken out.
struct CallRequest {
    std::string_view method;
    std::string_view path;           ///< what the function is told: after /functions/{name}, or the whole path
    std::string_view original_path;  ///< as received, without the query
    std::string_view query;          ///< raw, without '?'
    std::string_view protocol = "HTTP/1.1";
    std::string_view source_ip;
    std::string_view body;           ///< raw bytes
    std::span<const Header> headers;
    std::span<const Header> path_parameters;
    std::string_view authorizer;     ///< JSON text of requestContext.authorizer; empty = {}
    std::string_view trigger;        ///< trigger name
    std::string_view trigger_type = "http";
    std::string_view traceparent;    ///< empty = none
    int attempt = 1;
};

/// Why a call ended without an answer from the function.
struct CallFailure {
    Error error;                 ///< code decides the status: invocation_failed, worker_failed, invocation_timeout, …
    std::string type;            ///< the exception's class; "" when the platform failed it
    std::string exception_message;
    std::string stack;           ///< never shown to outside callers
};

/// Times of one call; a steady time of zero means that it did not get there.
struct CallTimes {
    SteadyTime queued{};    ///< given to the dispatcher
    SteadyTime sent{};      ///< handed to an instance
    SteadyTime answered{};  ///< first byte of the answer
    std::chrono::nanoseconds ran{0};  ///< the handler, as the worker has measured it; 0 = not told
};

class Call {
  public:
    Call() = default;
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    virtual ~Call() = default;

    /// The head of the answer. `headers` is a block of "name: value\n" lines as the worker wrote them: not yet
    /// checked. `end`: `body` is all there is; otherwise chunks follow.
    virtual void on_response(int status, std::string_view headers, std::string_view body, bool end) = 0;
    virtual void on_chunk(std::string_view body, bool end) = 0;
    virtual void on_failed(const CallFailure& failure) = 0;

    InvocationId id;
    CallRequest request;
    CallTimes times;
    bool cold_start = false;    ///< it waited for an instance to be forked, bound or started
    bool started_answer = false;  ///< on_response() has been called: too late for another instance

    // Bookkeeping of the dispatcher and the instance; nobody else touches it.
    struct Dispatch {
        void* pool = nullptr;
        void* instance = nullptr;
        Call* next = nullptr;
        Call* previous = nullptr;
        uint32_t wire_id = 0;
        SteadyTime deadline{};     ///< queue deadline while waiting, run deadline once sent
        uint8_t state = 0;         ///< dispatch::CallState
    } dispatch;
};

}  // namespace hks
