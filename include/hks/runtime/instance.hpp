// SPDX-License-Identifier: Apache-2.0
#pragma once
// One running copy of a version, and who starts it. All of it on the loop thread.
// An Instance belongs to whoever start()ed it. States: starting → ready → (draining) → gone. Destroying it kills it.
// Listener calls never come from inside start() or send(); after on_gone() or on_start_failed() nothing comes any more.

#include <hks/core/call.hpp>
#include <hks/core/log_record.hpp>
#include <hks/core/version.hpp>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hks::runtime {

class Instance;

/// What the worker said when its handler was loaded.
struct ReadyInfo {
    std::string handler;       ///< resolved: "function.handle"
    std::string kind;          ///< "sync" "async" "asgi" "wsgi" "generator" …, for people
    bool concurrent = false;   ///< it can really run several calls at once
};

/// Why an instance did not start, or ended.
struct ExitInfo {
    std::string reason;        ///< one sentence: "exited with code 3", "killed by signal 9", "used more than 128Mi"
    bool out_of_memory = false;
    std::string type, message, stack;  ///< of the load error, when the worker could still say it
    bool asked = false;        ///< we stopped it ourselves (drain, kill)
};

class InstanceListener {
  public:
    virtual ~InstanceListener() = default;
    virtual void on_ready(Instance& instance, const ReadyInfo& info) = 0;
    virtual void on_start_failed(Instance& instance, const ExitInfo& why) = 0;
    /// `call` has had its last on_response/on_chunk/on_failed; its slot is free. The Call may be gone already.
    virtual void on_slot_free(Instance& instance) = 0;
    /// The worker is gone. `started`: calls whose handler had begun, to be failed by the listener;
    /// `unstarted`: calls that were only sent ahead, to be sent elsewhere. Both in sending order.
    virtual void on_gone(Instance& instance, const ExitInfo& why, std::span<Call* const> started,
                         std::span<Call* const> unstarted) = 0;
};

class Instance {
  public:
    virtual ~Instance() = default;
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    /// Hands a call over. Frames of one loop turn leave in one write. Only while ready.
    virtual void send(Call& call) = 0;
    /// The client is gone: forgets the call (no more callbacks to it), tells the worker. The slot is freed by
    /// on_slot_free() when the worker has really let go of it.
    virtual void cancel(Call& call) = 0;
    /// For a streaming answer: the owner of the call has passed on `bytes` more to its client.
    virtual void consumed(Call& call, size_t bytes) = 0;
    /// Finish what runs, then SIGTERM, after `grace` SIGKILL. Then on_gone().
    virtual void drain(milliseconds grace) = 0;
    /// Kill at once (timeout, memory). Then on_gone() with this reason.
    virtual void kill(const std::string& reason) = 0;

    /// Its handler has been entered, as far as the worker has said; false: it was only sent ahead.
    virtual bool has_started(const Call& call) const = 0;
    virtual size_t outstanding() const = 0;   ///< calls sent and not yet answered (cancelled ones included)
    virtual uint64_t serial() const = 0;      ///< unique within the process
    virtual int pid() const = 0;              ///< 0 when it is not a local process

    void* tag = nullptr;                      ///< the listener's own

  protected:
    Instance() = default;
};

struct LaunchSpec {
    std::shared_ptr<const Version> version;
    std::vector<std::pair<std::string, std::string>> environment;  ///< variables and secrets of the function
    std::string bundle_path;   ///< folder to run instead of the version's bundle in the store ("" = the store's)
    bool smoke = false;        ///< load only: log lines go to the build log, no calls will come
    FunctionLogSink* logs = nullptr;  ///< where its lines go; null = the backend's own
};

class RuntimeBackend {
  public:
    virtual ~RuntimeBackend() = default;
    /// Begins to start an instance; the listener hears the end of it. INVALID_RUNTIME or PROVIDER_ERROR when it
    /// cannot even be tried.
    virtual Result<std::unique_ptr<Instance>> start(const LaunchSpec& spec, InstanceListener& listener) = 0;
    /// Get ready for calls to this language and version (boot a zygote, prepare workers). Cheap to repeat.
    virtual void prepare(const Version& version) = 0;
    /// JSON text for /api/v1/provider/capabilities: isolation layers in force, limits, runtimes.
    virtual std::string capabilities_json() const = 0;
    /// Kills everything that is left; `done` on the loop.
    virtual void stop(std::function<void()> done) = 0;
};

}  // namespace hks::runtime
