// SPDX-License-Identifier: Apache-2.0
#include "smoke_loader.hpp"

#include <boost/asio/post.hpp>

#include <condition_variable>

namespace hks::build {
namespace {

using namespace std::chrono_literals;
constexpr milliseconds look_at_stop = 20ms;
constexpr milliseconds time_to_go = 3s;  ///< for the instance, once it has been killed

}  // namespace

/// All but the outcome and its condition belong to the loop.
class SmokeLoader::Attempt final : public runtime::InstanceListener,
                                   public FunctionLogSink,
                                   public std::enable_shared_from_this<Attempt> {
  public:
    Attempt(boost::asio::io_context& loop, runtime::LaunchSpec spec,
            std::function<void(std::string_view)> on_line)
        : loop_(loop), spec_(std::move(spec)), on_line_(std::move(on_line)) {
        spec_.logs = this;
        spec_.smoke = true;
    }

    void begin(runtime::RuntimeBackend& backend) {
        if (abandoned_) return set_gone();
        auto started = backend.start(spec_, *this);
        if (started) {
            instance_ = std::move(*started);
            return;
        }
        SmokeOutcome outcome;
        outcome.end = SmokeOutcome::End::not_started;
        outcome.error = started.error();
        decide(std::move(outcome));
        set_gone();
    }

    /// Nobody waits for an answer any more.
    void abandon(const std::string& reason) {
        abandoned_ = true;
        if (instance_) instance_->kill(reason);
    }

    /// The service goes away.
    void drop() {
        abandoned_ = true;
        instance_.reset();
    }

    // Both wait in slices: the stop signal has no condition of its own.
    bool wait_decided(SteadyTime deadline, const StopSignal& stop, SmokeOutcome& out) {
        std::unique_lock lock(mutex_);
        while (!decided_ && !stop.raised() && std::chrono::steady_clock::now() < deadline)
            changed_.wait_for(lock, look_at_stop);
        if (decided_) out = outcome_;
        return decided_;
    }
    void wait_gone(const StopSignal& stop) {
        const SteadyTime deadline = std::chrono::steady_clock::now() + time_to_go;
        std::unique_lock lock(mutex_);
        while (!gone_ && !stop.raised() && std::chrono::steady_clock::now() < deadline)
            changed_.wait_for(lock, look_at_stop);
        on_line_ = nullptr;
    }

    void on_ready(runtime::Instance&, const runtime::ReadyInfo& info) override {
        SmokeOutcome outcome;
        outcome.end = SmokeOutcome::End::ready;
        outcome.info = info;
        decide(std::move(outcome));
        boost::asio::post(loop_, [self = shared_from_this()] { self->abandon("its smoke load is done"); });
    }
    void on_start_failed(runtime::Instance&, const runtime::ExitInfo& why) override { ended(why); }
    void on_slot_free(runtime::Instance&) override {}
    void on_gone(runtime::Instance&, const runtime::ExitInfo& why, std::span<Call* const>,
                 std::span<Call* const>) override {
        ended(why);
    }

    void write(FunctionLogRecord record) override {
        std::lock_guard lock(mutex_);
        if (on_line_) on_line_(record.message);
    }

  private:
    void ended(const runtime::ExitInfo& why) {
        SmokeOutcome outcome;
        outcome.end = SmokeOutcome::End::failed;
        outcome.why = why;
        decide(std::move(outcome));
        // Not from within its own callback.
        boost::asio::post(loop_, [self = shared_from_this()] { self->instance_.reset(); });
        set_gone();
    }

    void decide(SmokeOutcome outcome) {
        std::lock_guard lock(mutex_);
        if (decided_) return;
        decided_ = true;
        outcome_ = std::move(outcome);
        changed_.notify_all();
    }

    void set_gone() {
        std::lock_guard lock(mutex_);
        gone_ = true;
        changed_.notify_all();
    }

    boost::asio::io_context& loop_;
    runtime::LaunchSpec spec_;
    bool abandoned_ = false;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::function<void(std::string_view)> on_line_;
    bool decided_ = false, gone_ = false;
    SmokeOutcome outcome_;
    std::unique_ptr<runtime::Instance> instance_;  // last: it may still speak to the members above
};

SmokeLoader::~SmokeLoader() {
    for (const auto& weak : attempts_)
        if (auto attempt = weak.lock()) attempt->drop();
}

SmokeOutcome SmokeLoader::load(runtime::LaunchSpec spec, std::function<void(std::string_view)> on_line,
                               SteadyTime deadline, const StopSignal& stop) {
    auto attempt = std::make_shared<Attempt>(loop_, std::move(spec), std::move(on_line));
    {
        std::lock_guard lock(mutex_);
        std::erase_if(attempts_, [](const auto& old) { return old.expired(); });
        attempts_.push_back(attempt);
    }
    boost::asio::post(loop_, [attempt, &backend = backend_] { attempt->begin(backend); });
    SmokeOutcome outcome;
    if (!attempt->wait_decided(deadline, stop, outcome)) {
        outcome.end = stop.raised() ? SmokeOutcome::End::stopped : SmokeOutcome::End::timed_out;
        boost::asio::post(loop_, [attempt, timed_out = outcome.end] {
            attempt->abandon(timed_out == SmokeOutcome::End::timed_out ? "its code took too long to load"
                                                                       : "the server is stopping");
        });
    }
    attempt->wait_gone(stop);
    // An instance that is still there ends on the loop, not on this thread.
    boost::asio::post(loop_, [last = std::move(attempt)] {});
    return outcome;
}

}  // namespace hks::build
