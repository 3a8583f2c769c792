// SPDX-License-Identifier: Apache-2.0
#pragma once
// The listening socket. A failing accept neither ends nor spins the server: out of descriptors, it answers
// one client with the reserve descriptor's help by closing it, and rests for 100 ms. Loop thread.

#include "net/poller.hpp"

#include <hks/core/error.hpp>
#include <hks/telemetry/logger.hpp>

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <string>

namespace hks::net {

class Listener final : public PollTarget {
  public:
    /// `on_accepted` owns the descriptor.
    using OnAccepted = std::function<void(int fd, const std::string& remote_address)>;

    Listener(boost::asio::io_context& loop, Poller& poller, telemetry::Logger& logger,
             OnAccepted on_accepted);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    Result<void> start(const std::string& address, uint16_t port, int backlog);
    /// Takes what has been connected already, then closes.
    void stop();
    uint16_t port() const { return port_; }

    void on_poll(uint32_t events) override;

  private:
    bool accept_one();
    void on_exhausted(int reason);

    Poller& poller_;
    telemetry::Logger& logger_;
    OnAccepted on_accepted_;
    boost::asio::steady_timer rest_;
    int fd_ = -1;
    int reserve_ = -1;
    uint16_t port_ = 0;
    bool complained_ = false;
};

}  // namespace hks::net
