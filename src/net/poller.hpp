// SPDX-License-Identifier: Apache-2.0
#pragma once
// An epoll set of our own inside an asio loop. Connections are registered once, edge-triggered, for both
// directions and for the peer's end of stream; after that a request costs no epoll_ctl and no speculative
// read, and one turn of the loop hands out all events there are. asio sees a single descriptor. Loop thread;
// stop() ends it for good.

#include <hks/core/error.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace hks::net {

class PollTarget {
  public:
    /// `events` are EPOLL… bits. The target may deregister itself and others, but must stay alive until the
    /// end of the turn (see the poller's on_turn_end).
    virtual void on_poll(uint32_t events) = 0;

  protected:
    ~PollTarget() = default;
};

class Poller : public std::enable_shared_from_this<Poller> {
  public:
    Poller(boost::asio::io_context& loop, std::function<void()> on_turn_end);
    ~Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;

    Result<void> start();
    void stop();

    bool add(int fd, uint32_t events, PollTarget& target);
    void change(int fd, uint32_t events, PollTarget& target);

  private:
    void wait();
    void run_turn();

    boost::asio::posix::stream_descriptor set_;
    std::function<void()> on_turn_end_;
    bool stopped_ = false;
};

}  // namespace hks::net
