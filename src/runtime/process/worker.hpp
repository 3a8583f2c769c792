// SPDX-License-Identifier: Apache-2.0
#pragma once
// One worker process as the server sees it: its connection, its pipes, its shared page, its end. Owned by the
// backend from the fork until the process is gone and reported; a ProcessInstance is only the handle that
// dispatch holds. Life: prepared (booted, bound to nothing; Node only) → starting → ready → draining → dying
// → gone. Loop thread.

#include "process/call_table.hpp"
#include "process/cgroup.hpp"
#include "process/line_splitter.hpp"
#include "process/stdio_reader.hpp"
#include "worker_protocol.hpp"

#include <hks/core/clock.hpp>
#include <hks/core/log_record.hpp>
#include <hks/runtime/instance.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <memory>
#include <string>

namespace hks::runtime {

class Worker;

/// The backend, as its workers know it.
class WorkerHost {
  public:
    virtual ~WorkerHost() = default;
    /// It has booted inside its sandbox, bound or not.
    virtual void worker_said_hello(Worker& worker) = 0;
    /// Its process is gone and everybody has been told; release what it held.
    virtual void worker_gone(Worker& worker) = 0;
};

/// What the process has got at birth. The worker takes the descriptors and the mapping over.
struct WorkerParts {
    uint64_t serial = 0;
    int connection = -1, stdout_pipe = -1, stderr_pipe = -1;
    void* page = nullptr;  ///< 4096 shared bytes, see the protocol's ADR
    Cgroup cgroup;
    int uid_slot = -1;        ///< -1 = it runs as ourselves
    std::string work_dir;     ///< to be removed at the end; "" = none
    std::string code_path;    ///< where the worker finds its code once bound; "" = at the bundle's real path
};

/// What makes a worker an instance of a version.
struct WorkerBinding {
    std::shared_ptr<const Version> version;
    std::string load;  ///< JSON of the LOAD frame
    FunctionLogSink* logs = nullptr;
    Instance* instance = nullptr;
    InstanceListener* listener = nullptr;
};

struct WorkerContext {
    boost::asio::io_context& loop;
    const Clock& clock;
    WorkerHost& host;
};

class Worker : public std::enable_shared_from_this<Worker> {
  public:
    enum class State { prepared, starting, ready, draining, dying, gone };

    Worker(const WorkerContext& context, WorkerParts parts);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Begins to read. Once, right after construction.
    void open();
    /// From prepared to starting: from now on its listener hears how it ends.
    void claim(WorkerBinding binding);
    /// Once its code is in its place.
    void send_load();

    // What the spawner or a zygote reports.
    void process_started(int pid);
    void process_exited(int status);
    /// There never was a process, or none that could be bound.
    void start_failed(const std::string& reason);
    /// Nobody is left who could report its end: it is killed and over at once.
    void parent_lost(const std::string& reason);

    // Instance.
    void send(Call& call);
    void cancel(Call& call);
    void consumed(Call& call, size_t bytes);
    void drain(milliseconds grace);
    void kill(const std::string& reason, bool out_of_memory = false);
    /// Its owner lets go: nobody is told anything any more, the process is killed.
    void abandon();
    /// The backend itself ends: kills and closes without another word to anybody.
    void cut();

    bool has_started(const Call& call) const;
    size_t outstanding() const { return calls_.size(); }
    uint64_t serial() const { return parts_.serial; }
    int pid() const { return pid_; }
    bool process_ended() const { return exited_; }
    State state() const { return state_; }
    const WorkerParts& parts() const { return parts_; }
    WorkerParts& parts() { return parts_; }
    bool said_hello() const { return said_hello_; }
    const Version* version() const { return binding_.version.get(); }

  private:
    using Clock = hks::Clock;
    enum class Wait { none, start, grace, death, last };

    void read();
    void on_read(const boost::system::error_code& error, size_t size);
    void queue_flush();
    void flush();
    void wait_for(Wait what, milliseconds time);
    void on_wait();
    void check_end();
    void finish();
    void kill_processes();
    ExitInfo describe_end() const;
    std::string describe_status() const;
    void tell_gone(const ExitInfo& why);
    bool has_begun(const SentCall& entry, uint32_t last_started) const;

    // worker_frames.cpp
    void handle(const Frame& frame);
    void handle_hello(const Frame& frame);
    void handle_ready(const Frame& frame);
    void handle_failed(const Frame& frame);
    void handle_result(const Frame& frame);
    void handle_chunk(const Frame& frame);
    void handle_error(const Frame& frame);
    void handle_log(const Frame& frame);
    void finish_call(SentCall& entry);
    bool stream_too_far(SentCall& entry, size_t bytes);
    void nonsense(const std::string& what);

    // worker_logs.cpp
    void on_output(std::string_view line, bool is_stderr);
    void write_log(LogLevel level, std::string_view stream, std::string_view invocation,
                   std::string_view text);
    std::string_view running_invocation();
    uint32_t started_id() const;

    WorkerContext context_;
    WorkerParts parts_;
    WorkerBinding binding_;
    State state_ = State::prepared;

    boost::asio::local::stream_protocol::socket connection_;
    boost::asio::steady_timer timer_;
    Wait waiting_ = Wait::none;
    uint32_t wait_number_ = 0;

    FrameReader reader_;
    std::string out_;
    size_t out_sent_ = 0;
    bool flush_queued_ = false, waiting_for_room_ = false;

    CallTable calls_;
    uint32_t last_id_ = 0;
    uint32_t last_finished_ = 0;
    InvocationId last_finished_invocation_;
    EventEncoding encoding_ = EventEncoding::json;
    uint32_t timeout_ms_ = 0;
    bool said_hello_ = false, was_ready_ = false, concurrent_ = false;

    std::shared_ptr<StdioReader> stdout_, stderr_;
    LogGate gate_;
    std::deque<std::string> last_words_;  ///< on stderr, the newest few

    int pid_ = 0;
    int status_ = 0;
    bool exited_ = false, connection_ended_ = false, kill_wanted_ = false;
    milliseconds grace_{10'000};
    ExitInfo end_;  ///< reason set when we decided it
    bool decided_ = false;
};

}  // namespace hks::runtime
