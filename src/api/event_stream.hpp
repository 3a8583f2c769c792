// SPDX-License-Identifier: Apache-2.0
#pragma once
// A server-sent event stream on an exchange: begins at once, beats when silent, notices that the client has
// gone. Loop thread; kept alive by Context::sessions until it has ended.

#include "context.hpp"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <string_view>

namespace hks::api {

class EventStream : public Session, public std::enable_shared_from_this<EventStream> {
  public:
    EventStream(Context& context, net::HttpExchange& exchange);

    /// Sends the head and begins to beat; on_started() next.
    void open();
    void stop() override;

  protected:
    virtual void on_started() = 0;
    virtual void on_drained() {}                  ///< the client took everything after congested() was true
    virtual bool still_wanted() { return true; }  ///< asked at each beat; false ends the stream
    virtual void on_ended() = 0;  ///< drop every handle; may come twice, nothing else comes any more

    /// `event` "" = message; `id` < 0 = none.
    void emit(std::string_view data, std::string_view event = {}, int64_t id = -1);
    bool congested() const { return waiting_ > congestion_bytes; }
    bool ended() const { return ended_; }
    void finish();  ///< a proper end of the stream

    /// Pool, then loop; `done` is not called when the stream has ended meanwhile.
    void offload(std::function<void()> work, std::function<void()> done);

    Context& context_;

  private:
    static constexpr size_t congestion_bytes = 256 * 1024;
    void beat();
    void end();

    net::HttpExchange& exchange_;
    boost::asio::steady_timer timer_;
    size_t waiting_ = 0;
    bool ended_ = false;
    bool silent_ = true;  ///< since the last beat
};

}  // namespace hks::api
