// SPDX-License-Identifier: Apache-2.0
#pragma once
// One datagram with descriptors over a Unix SOCK_SEQPACKET socket. Plain system calls, no state.

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace hks::runtime {

/// 0 or errno. Never blocks longer than `wait_ms` for room, never raises SIGPIPE.
int send_message(int socket, std::string_view message, std::span<const int> descriptors, int wait_ms);

/// Bytes received, 0 at the end, -1 with errno (EAGAIN). Descriptors arrive close-on-exec.
long receive_message(int socket, std::span<char> buffer, std::vector<int>& descriptors);

}  // namespace hks::runtime
