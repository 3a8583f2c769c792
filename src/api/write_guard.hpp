// SPDX-License-Identifier: Apache-2.0
#pragma once
// What goes round every write: an Idempotency-Key is answered from memory of the first time, and an audit row
// is kept of what was done and of what was refused. Blocking, pool threads; refused() is for the loop and
// never waits.

#include "context.hpp"

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>

namespace hks::telemetry {
class Counter;
}

namespace hks::api {

class WriteGuard {
  public:
    explicit WriteGuard(Context& context);

    /// Runs the handler of a write, or gives the stored answer; appends the audit row.
    Result<ApiResponse> run(const ApiRequest& request);

    /// A write that was refused before its handler: its row is appended soon, by the pool.
    void refused(const ApiRequest& request, const Error& error);

  private:
    Result<ApiResponse> run_once(const ApiRequest& request);
    Result<ApiResponse> run_handler(const ApiRequest& request);
    auth::AuditRecord record(const ApiRequest& request, int status, std::string code) const;
    void append(const auth::AuditRecord& record);
    void drain();

    Context& context_;
    telemetry::Counter& dropped_;
    std::mutex mutex_;
    std::set<std::string> running_;          ///< scope + key of writes that are being done
    std::deque<auth::AuditRecord> waiting_;  ///< refused ones on their way to the log
    bool draining_ = false;                  ///< a task on the pool takes from waiting_
};

}  // namespace hks::api
