// SPDX-License-Identifier: Apache-2.0
#pragma once
// The head of a function's answer, from the worker's "name: value\n" block to the lines that go out. A
// function is as untrusted as a client: nothing in it can end the head early, frame the body or speak for the
// platform. Pure.

#include <hks/core/call.hpp>

#include <string>
#include <string_view>

namespace hks::gateway {

/// Appends the block as "name: value\r\n" lines without those that are not the function's to set (framing,
/// connection, date, x-hks-*). False: the block is broken; `why` says how, `out` is to be thrown away.
bool append_function_headers(std::string& out, std::string_view block, std::string_view& why);

/// The value of the block's first content-length; 0 when there is none that makes sense.
uint64_t content_length_of(std::string_view block);

/// X-Hks-Invocation-Id, `version_line`, X-Hks-Cold-Start and Server-Timing.
void append_platform_headers(std::string& out, const Call& call, std::string_view version_line);

/// Milliseconds with three decimals: 0.012, 30000.000; "0" for nothing.
void append_milliseconds(std::string& out, int64_t microseconds);

}  // namespace hks::gateway
