// SPDX-License-Identifier: Apache-2.0
#pragma once
// A server-sent event stream on an exchange: begins at once, beats when silent, notices that the client has
// gone, and ends when the token that opened it does not count any more. Loop thread; kept alive by
// Context::sessions until it has ended.

#include "context.hpp"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hks::api {

class EventStream : public Session, public std::enable_shared_from_this<EventStream> {
  public:
    EventStream(Context& context, net::HttpExchange& exchange, const ApiRequest& request);

    /// Sends the head and begins to beat; on_started() next.
    void open();
    void stop() override;
    void recheck() override;

  protected:
    virtual void on_started() = 0;
    virtual void on_drained() {}  ///< the client took everything after congested() was true
    /// Why the stream must end, which its client is told; asked by recheck() and at each beat.
    virtual std::optional<Error> why_over() { return std::nullopt; }
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
    void send_event(std::string_view data, std::string_view event, int64_t id);

    net::HttpExchange& exchange_;
    const std::string token_id_;
    boost::asio::steady_timer timer_;
    SteadyTime checked_{};
    size_t waiting_ = 0;
    bool ended_ = false;
    bool silent_ = true;  ///< since the last beat
};

}  // namespace hks::api
