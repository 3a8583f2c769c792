// SPDX-License-Identifier: Apache-2.0
#pragma once
// The server's end of one Python zygote: requests to fork go in, reports come out. One per interpreter and
// workspace; owned by the backend. Requests that the socket has no room for wait here with their descriptors.
// Loop thread.

#include "process/spawner_protocol.hpp"

#include <hks/runtime/spawner.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace hks::runtime {

class Zygote;

class ZygoteHost {
  public:
    virtual ~ZygoteHost() = default;
    virtual void zygote_report(Zygote& zygote, const SpawnReport& report) = 0;
    /// It died; what it had not forked yet never will be.
    virtual void zygote_gone(Zygote& zygote) = 0;
};

class Zygote : public std::enable_shared_from_this<Zygote> {
  public:
    Zygote(boost::asio::io_context& loop, ZygoteHost& host, uint64_t serial, std::string interpreter)
        : host_(host), socket_(loop), serial_(serial), interpreter_(std::move(interpreter)) {}
    ~Zygote();
    Zygote(const Zygote&) = delete;
    Zygote& operator=(const Zygote&) = delete;

    /// Has the spawner start the interpreter. Requests may follow at once: they wait until it is warm.
    /// `code_path`: where its workers will find their code, an empty folder until then.
    Result<void> boot(Spawner& spawner, const std::string& code_path);
    /// Takes the descriptors over.
    void fork(uint64_t serial, const hks_sandbox_spec& spec, std::vector<int> descriptors);
    /// Ends it; no more reports.
    void stop();

    uint64_t serial() const { return serial_; }
    bool warm() const { return warm_; }

  private:
    struct Pending {
        std::string message;
        std::vector<int> descriptors;
    };

    void flush();
    void wait_readable();
    void on_readable();
    void gone();

    ZygoteHost& host_;
    boost::asio::posix::stream_descriptor socket_;
    uint64_t serial_;
    std::string interpreter_;
    std::deque<Pending> pending_;
    bool warm_ = false, waiting_for_room_ = false, stopped_ = false;
};

}  // namespace hks::runtime
