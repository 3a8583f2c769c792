// SPDX-License-Identifier: Apache-2.0
#include "process/worker.hpp"

#include "process/sandbox_enter.h"

#include <hks/core/units.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/defer.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hks::runtime {

namespace {

constexpr size_t read_size = 16 * 1024;
constexpr size_t page_size = 4096;
constexpr milliseconds start_patience{30'000};
constexpr milliseconds other_half_patience{100};  // the end of the connection and the exit report come apart
constexpr milliseconds last_patience{5'000};
constexpr size_t largest_kept_buffer = 1 << 20;

}  // namespace

Worker::Worker(const WorkerContext& context, WorkerParts parts)
    : context_(context), parts_(std::move(parts)), connection_(context.loop), timer_(context.loop) {
    connection_.assign(boost::asio::local::stream_protocol(), parts_.connection);
    connection_.non_blocking(true);
}

Worker::~Worker() {
    if (!exited_) kill_processes();
    if (parts_.page != nullptr) ::munmap(parts_.page, page_size);
}

void Worker::open() {
    const auto reader = [this](int descriptor, bool is_stderr) {
        auto pipe = std::make_shared<StdioReader>(
            context_.loop, descriptor, [weak = weak_from_this(), is_stderr](std::string_view line) {
                if (auto self = weak.lock()) self->on_output(line, is_stderr);
            });
        pipe->start();
        return pipe;
    };
    stdout_ = reader(parts_.stdout_pipe, false);
    stderr_ = reader(parts_.stderr_pipe, true);
    read();
}

void Worker::claim(WorkerBinding binding) {
    binding_ = std::move(binding);
    timeout_ms_ = static_cast<uint32_t>(binding_.version->spec.resources.timeout.count());
    state_ = State::starting;
    wait_for(Wait::start, start_patience);
}

void Worker::send_load() {
    if (state_ != State::starting) return;
    append_frame(out_, FrameType::load, 0, 0, 0, binding_.load, {});
    // It holds secrets and is never needed again.
    std::fill(binding_.load.begin(), binding_.load.end(), '\0');
    binding_.load.clear();
    flush();
}

void Worker::read() {
    char* room = reader_.prepare(read_size);
    connection_.async_read_some(boost::asio::buffer(room, reader_.writable()),
                                [self = shared_from_this()](const boost::system::error_code& error,
                                                            size_t size) { self->on_read(error, size); });
}

void Worker::on_read(const boost::system::error_code& error, size_t size) {
    if (state_ == State::gone) return;
    if (error) {
        connection_ended_ = true;
        check_end();
        return;
    }
    reader_.commit(size);
    Frame frame;
    // Once we have decided to kill it, what it still says counts no more.
    while (state_ != State::gone && state_ != State::dying && reader_.next(frame)) handle(frame);
    if (state_ == State::gone) return;
    if (state_ == State::dying) {
        while (reader_.next(frame)) continue;
    }
    if (reader_.broken()) {
        if (state_ != State::dying) nonsense("its length is impossible");
        connection_ended_ = true;
        check_end();
        return;
    }
    read();
}

void Worker::queue_flush() {
    if (flush_queued_ || waiting_for_room_) return;
    flush_queued_ = true;
    boost::asio::defer(context_.loop, [self = shared_from_this()] {
        self->flush_queued_ = false;
        self->flush();
    });
}

void Worker::flush() {
    if (waiting_for_room_ || state_ == State::gone) return;
    while (out_sent_ < out_.size()) {
        const ssize_t n = ::send(connection_.native_handle(), out_.data() + out_sent_,
                                 out_.size() - out_sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            out_sent_ += static_cast<size_t>(n);
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) {
            out_sent_ = out_.size();  // it is dying; the read side will hear of it
            break;
        }
        waiting_for_room_ = true;
        connection_.async_wait(boost::asio::socket_base::wait_write,
                               [self = shared_from_this()](const boost::system::error_code& error) {
                                   self->waiting_for_room_ = false;
                                   if (!error) self->flush();
                               });
        return;
    }
    out_.clear();
    out_sent_ = 0;
    if (out_.capacity() > largest_kept_buffer) out_.shrink_to_fit();
}

void Worker::send(Call& call) {
    if (++last_id_ == 0) ++last_id_;
    SentCall& entry = calls_.insert(last_id_);
    entry.call = &call;
    entry.invocation = call.id;
    call.dispatch.wire_id = last_id_;
    append_call(out_, encoding_, last_id_, call, timeout_ms_);
    queue_flush();
}

void Worker::cancel(Call& call) {
    SentCall* entry = calls_.find(call.dispatch.wire_id);
    if (entry == nullptr || entry->call != &call) return;
    entry->call = nullptr;
    append_frame(out_, FrameType::cancel, 0, 0, entry->id, {}, {});
    queue_flush();
}

void Worker::consumed(Call& call, size_t bytes) {
    constexpr uint32_t worth_a_frame = 64 * 1024;
    SentCall* entry = calls_.find(call.dispatch.wire_id);
    if (entry == nullptr || entry->call != &call) return;
    entry->ahead -= std::min<uint64_t>(entry->ahead, bytes);
    entry->owed += static_cast<uint32_t>(bytes);
    if (entry->owed < worth_a_frame) return;
    const uint32_t credit = entry->owed;
    entry->owed = 0;
    append_frame(out_, FrameType::credit, 0, 0, entry->id, {},
                 {reinterpret_cast<const char*>(&credit), sizeof credit});
    queue_flush();
}

void Worker::drain(milliseconds grace) {
    if (state_ == State::starting || state_ == State::prepared)
        return kill("was stopped before it was ready");
    if (state_ != State::ready) return;
    state_ = State::draining;
    grace_ = grace;
    if (!decided_) end_.asked = true;
    append_frame(out_, FrameType::drain, 0, 0, 0, {}, {});
    flush();
    if (calls_.size() == 0) {
        if (pid_ > 0 && !exited_) ::kill(pid_, SIGTERM);
        wait_for(Wait::grace, grace_);
    }
}

void Worker::kill(const std::string& reason, bool out_of_memory) {
    if (state_ == State::gone || state_ == State::dying) return;
    if (!decided_) {
        decided_ = true;
        end_.reason = reason;
        end_.out_of_memory = out_of_memory;
        end_.asked = !out_of_memory;
    }
    state_ = State::dying;
    kill_wanted_ = true;
    kill_processes();
    wait_for(Wait::last, last_patience);
}

void Worker::abandon() {
    binding_.listener = nullptr;
    binding_.instance = nullptr;
    calls_ = CallTable();
    kill("was let go");
}

void Worker::cut() {
    binding_.listener = nullptr;
    binding_.instance = nullptr;
    kill_processes();
    state_ = State::gone;
    timer_.cancel();
    boost::system::error_code ignored;
    connection_.close(ignored);
    if (stdout_) stdout_->close();
    if (stderr_) stderr_->close();
}

void Worker::kill_processes() {
    if (pid_ > 0 && !exited_) {
        ::kill(-pid_, SIGKILL);
        // Until its setsid() there is no such group.
        ::kill(pid_, SIGKILL);
    }
    parts_.cgroup.kill();
}

void Worker::process_started(int pid) {
    pid_ = pid;
    if (kill_wanted_) kill_processes();
}

void Worker::process_exited(int status) {
    if (exited_ || state_ == State::gone) return;
    exited_ = true;
    status_ = status;
    check_end();
}

void Worker::start_failed(const std::string& reason) {
    if (state_ == State::gone) return;
    if (!decided_) {
        decided_ = true;
        end_.reason = reason;
    }
    kill_processes();
    if (pid_ == 0 || exited_) {
        exited_ = true;
        finish();
        return;
    }
    state_ = State::dying;
    wait_for(Wait::last, last_patience);
}

void Worker::parent_lost(const std::string& reason) {
    if (state_ == State::gone) return;
    if (!decided_) {
        decided_ = true;
        end_.reason = reason;
    }
    kill_processes();
    exited_ = true;
    finish();
}

void Worker::check_end() {
    if (state_ == State::gone) return;
    if (exited_ && connection_ended_) return finish();
    if (waiting_ == Wait::death) return;
    if (state_ == State::dying && !exited_) return;  // Wait::last runs
    wait_for(Wait::death, other_half_patience);
}

void Worker::wait_for(Wait what, milliseconds time) {
    waiting_ = what;
    timer_.expires_after(time);
    timer_.async_wait(
        [self = shared_from_this(), number = ++wait_number_](const boost::system::error_code& error) {
            if (!error && number == self->wait_number_) self->on_wait();
        });
}

void Worker::on_wait() {
    const Wait what = waiting_;
    waiting_ = Wait::none;
    if (state_ == State::gone) return;
    switch (what) {
        case Wait::none:
            break;
        case Wait::start:
            if (!decided_) {
                decided_ = true;
                end_.reason =
                    "did not load its handler within 30 s: move slow work out of the module's top level";
            }
            state_ = State::dying;
            kill_wanted_ = true;
            kill_processes();
            wait_for(Wait::last, last_patience);
            break;
        case Wait::grace:
            kill_wanted_ = true;
            kill_processes();
            wait_for(Wait::last, last_patience);
            break;
        case Wait::death:
            if (exited_) return finish();
            // It closed its connection and lives on: that is no instance any more.
            kill_wanted_ = true;
            kill_processes();
            wait_for(Wait::last, last_patience);
            break;
        case Wait::last:
            finish();
            break;
    }
}

void Worker::finish() {
    auto self = shared_from_this();
    if (state_ == State::gone) return;
    kill_processes();
    if (stdout_) stdout_->finish();
    if (stderr_) stderr_->finish();
    const ExitInfo why = describe_end();
    state_ = State::gone;
    boost::system::error_code ignored;
    timer_.cancel();
    connection_.close(ignored);
    tell_gone(why);
    context_.host.worker_gone(*this);
}

void Worker::tell_gone(const ExitInfo& why) {
    InstanceListener* listener = std::exchange(binding_.listener, nullptr);
    if (listener == nullptr || binding_.instance == nullptr) return;
    if (!was_ready_) return listener->on_start_failed(*binding_.instance, why);
    std::vector<SentCall> sent;
    calls_.for_each([&](const SentCall& entry) {
        if (entry.call != nullptr) sent.push_back(entry);
    });
    // Oldest first; ids wrap.
    std::sort(sent.begin(), sent.end(),
              [last = last_id_](const SentCall& a, const SentCall& b) { return last - a.id > last - b.id; });
    calls_ = CallTable();
    std::vector<Call*> started, unstarted;
    const uint32_t begun = started_id();
    for (const auto& entry : sent) {
        (has_begun(entry, begun) ? started : unstarted).push_back(entry.call);
    }
    listener->on_gone(*binding_.instance, why, started, unstarted);
}

/// Ids grow by one per call, so "up to the last one started" is a comparison modulo 2³².
bool Worker::has_begun(const SentCall& entry, uint32_t last_started) const {
    return entry.streaming || last_id_ - entry.id >= last_id_ - last_started;
}

bool Worker::has_started(const Call& call) const {
    const SentCall* entry = calls_.find(call.dispatch.wire_id);
    return entry == nullptr || has_begun(*entry, started_id());
}

std::string Worker::describe_status() const {
    if (WIFEXITED(status_)) return "exited with code " + std::to_string(WEXITSTATUS(status_));
    if (WIFSIGNALED(status_)) {
        const char* name = ::sigabbrev_np(WTERMSIG(status_));
        return "was killed by signal " + std::to_string(WTERMSIG(status_)) +
               (name ? std::string(" (SIG") + name + ")" : "");
    }
    return "ended";
}

ExitInfo Worker::describe_end() const {
    ExitInfo why = end_;
    if (decided_) return why;
    const bool heap_full = std::any_of(last_words_.begin(), last_words_.end(), [](const std::string& line) {
        return line.find("JavaScript heap out of memory") != std::string::npos;
    });
    const bool killed = WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL;
    if (heap_full || (killed && parts_.cgroup.memory_kills() > 0)) {
        why.out_of_memory = true;
        why.reason =
            "used more than " +
            (binding_.version ? format_bytes(binding_.version->spec.resources.memory) : "its share") +
            " of memory";
        return why;
    }
    hks_sandbox_report report{};
    if (parts_.page != nullptr)
        std::memcpy(&report, static_cast<const char*>(parts_.page) + HKS_SANDBOX_REPORT_OFFSET,
                    sizeof report);
    if (!was_ready_ && report.failed > 0 && report.failed <= HKS_LAYER_COUNT) {
        why.reason = "could not enter its sandbox, layer " + std::to_string(report.failed - 1) + ": " +
                     std::strerror(static_cast<int>(report.error[report.failed - 1]));
        return why;
    }
    why.reason = exited_ ? describe_status() : "stopped answering";
    if (!was_ready_) {
        why.reason += " before its handler was loaded";
        if (!last_words_.empty()) why.reason += ": " + last_words_.back();
        for (const auto& line : last_words_) why.stack += line + "\n";
    }
    return why;
}

}  // namespace hks::runtime
