// SPDX-License-Identifier: Apache-2.0
#pragma once
// Follows a Watch from a loop: `changed` runs on the loop thread, once for any number of set() calls that
// came before it ran. set() may be called on any thread. Owned by whoever follows; destroy it on the loop
// thread (or after the loop has ended): nothing is called afterwards.

#include <hks/core/async/watch.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

namespace hks::dispatch {

template <class T>
class LoopFollower {
  public:
    LoopFollower(boost::asio::io_context& loop, Watch<T>& watch, std::function<void()> changed)
        : watch_(watch), state_(std::make_shared<State>(loop, std::move(changed))) {
        token_ = watch_.subscribe([state = state_] { notify(state); });
    }
    ~LoopFollower() {
        watch_.unsubscribe(token_);
        state_->changed = nullptr;
    }
    LoopFollower(const LoopFollower&) = delete;
    LoopFollower& operator=(const LoopFollower&) = delete;

  private:
    struct State {
        State(boost::asio::io_context& l, std::function<void()> c) : loop(l), changed(std::move(c)) {}
        boost::asio::io_context& loop;
        std::function<void()> changed;  // loop thread only
        std::atomic<bool> posted{false};
    };

    static void notify(const std::shared_ptr<State>& state) {
        if (state->posted.exchange(true)) return;
        boost::asio::post(state->loop, [state] {
            state->posted = false;
            if (state->changed) state->changed();
        });
    }

    Watch<T>& watch_;
    std::shared_ptr<State> state_;
    uint64_t token_ = 0;
};

}  // namespace hks::dispatch
