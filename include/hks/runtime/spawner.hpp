// SPDX-License-Identifier: Apache-2.0
#pragma once
// The server's end of the spawner: a small single-threaded child that is the parent of all workers, and ends
// them when the server is gone, even by kill -9. fork() is called once, before any thread exists and before
// secrets are read. Uncopyable; the last owner closes the socket and waits for the child. Loop thread.

#include <hks/core/error.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace hks::runtime {

class Spawner {
  public:
    /// The child never returns from here.
    static Result<std::unique_ptr<Spawner>> fork();
    ~Spawner();
    Spawner(const Spawner&) = delete;
    Spawner& operator=(const Spawner&) = delete;

    int socket() const { return socket_; }  ///< non-blocking SOCK_SEQPACKET
    int pid() const { return pid_; }
    /// One message with descriptors; the caller keeps its own copies. Waits for room up to a second.
    Result<void> send(std::string_view message, std::span<const int> descriptors = {});

  private:
    Spawner(int socket, int pid) : socket_(socket), pid_(pid) {}

    int socket_;
    int pid_;
};

}  // namespace hks::runtime
