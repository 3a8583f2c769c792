// SPDX-License-Identifier: Apache-2.0
#pragma once
// The last step of a build: one instance is started on the loop, its handler is loaded, and it is gone again.
// load() blocks a build thread; the destructor runs on the loop's thread, or after the loop has ended.

#include "stop_signal.hpp"

#include <hks/core/clock.hpp>
#include <hks/runtime/instance.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace hks::build {

struct SmokeOutcome {
    enum class End { ready, failed, not_started, timed_out, stopped };
    End end = End::stopped;
    runtime::ReadyInfo info;  ///< ready
    runtime::ExitInfo why;    ///< failed
    Error error;              ///< not_started
};

class SmokeLoader {
  public:
    SmokeLoader(boost::asio::io_context& loop, runtime::RuntimeBackend& backend)
        : loop_(loop), backend_(backend) {}
    ~SmokeLoader();

    /// `on_line`: what the function prints while it loads; on the loop, not after load() has returned.
    SmokeOutcome load(runtime::LaunchSpec spec, std::function<void(std::string_view)> on_line,
                      SteadyTime deadline, const StopSignal& stop);

  private:
    class Attempt;

    boost::asio::io_context& loop_;
    runtime::RuntimeBackend& backend_;
    std::mutex mutex_;
    std::vector<std::weak_ptr<Attempt>> attempts_;
};

}  // namespace hks::build
