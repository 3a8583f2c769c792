// SPDX-License-Identifier: Apache-2.0
#include "event_stream.hpp"

#include <boost/asio/post.hpp>

namespace hks::api {

EventStream::EventStream(Context& context, net::HttpExchange& exchange, const ApiRequest& request)
    : context_(context),
      exchange_(exchange),
      token_id_(request.principal.token_id),
      timer_(context.loop) {}

void EventStream::open() {
    context_.sessions.insert(shared_from_this());
    exchange_.set_on_closed([self = weak_from_this()] {
        const auto stream = self.lock();
        if (!stream || stream->ended_) return;
        stream->end();
        // The exchange waits for its last word even when nobody listens any more.
        stream->exchange_.finish();
    });
    exchange_.set_on_drained([self = weak_from_this()] {
        const auto stream = self.lock();
        if (!stream || stream->ended_) return;
        const bool was_congested = stream->congested();
        stream->waiting_ = 0;
        if (was_congested) stream->on_drained();
    });
    exchange_.begin(
        200, "Content-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n");
    // Something to read at once, so that a client knows that it is connected.
    waiting_ = exchange_.write(": following\n\n");
    beat();
    on_started();
}

void EventStream::emit(std::string_view data, std::string_view event, int64_t id) {
    // A revoked token rechecks every stream; one that expires does nothing by itself.
    if (context_.services.clock.steady() - checked_ > std::chrono::seconds(1)) recheck();
    if (!ended_) send_event(data, event, id);
}

void EventStream::recheck() {
    if (ended_) return;
    checked_ = context_.services.clock.steady();
    auto why = why_over();
    if (!context_.services.keys.is_valid(token_id_))
        why = Error(Errc::auth_invalid_token,
                    "The token of this stream was revoked or has expired. Ask for a new one.");
    if (!why) return;
    send_event(to_json_text(*why), "error", -1);
    finish();
}

void EventStream::send_event(std::string_view data, std::string_view event, int64_t id) {
    std::string text;
    text.reserve(data.size() + 64);
    if (!event.empty()) text.append("event: ").append(event).append("\n");
    if (id >= 0) text.append("id: ").append(std::to_string(id)).append("\n");
    text.append("data: ").append(data).append("\n\n");
    silent_ = false;
    waiting_ = exchange_.write(text);
}

void EventStream::beat() {
    timer_.expires_after(context_.options.heartbeat);
    timer_.async_wait([self = weak_from_this()](const boost::system::error_code& error) {
        const auto stream = self.lock();
        if (error || !stream || stream->ended_) return;
        stream->recheck();
        if (stream->ended_) return;
        if (stream->silent_) stream->waiting_ = stream->exchange_.write(": still here\n\n");
        stream->silent_ = true;
        if (!stream->ended_) stream->beat();
    });
}

void EventStream::finish() {
    if (ended_) return;
    end();
    exchange_.finish();
}

void EventStream::stop() {
    finish();
    on_ended();
}

void EventStream::end() {
    ended_ = true;
    timer_.cancel();
    // We may be inside a callback of the very handle that is to be dropped: a turn later.
    boost::asio::post(context_.loop, [self = shared_from_this()] {
        self->on_ended();
        self->context_.end(self);
    });
}

void EventStream::offload(std::function<void()> work, std::function<void()> done) {
    const auto self = shared_from_this();
    const bool taken = context_.offload(std::move(work), [self, done = std::move(done)] {
        if (!self->ended_) done();
    });
    if (taken) return;
    // The pool is full: the client may come again and go on from its last event.
    emit(to_json_text(overloaded()), "error");
    finish();
}

}  // namespace hks::api
