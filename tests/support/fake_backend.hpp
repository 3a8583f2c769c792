// SPDX-License-Identifier: Apache-2.0
#pragma once
// A RuntimeBackend by hand: instances become ready, answer, die when the test says so. Calls that an instance
// runs one at a time begin in the order in which they were sent, as with a real worker.

#include <hks/runtime/instance.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace hks::test {

class FakeBackend;

class FakeInstance final : public runtime::Instance {
  public:
    FakeInstance(FakeBackend& backend, runtime::LaunchSpec launch, runtime::InstanceListener& listener,
                 uint64_t serial)
        : launch_spec(std::move(launch)), backend_(backend), listener_(listener), serial_(serial) {}
    ~FakeInstance() override;

    // The platform's side.
    void send(Call& call) override;
    void cancel(Call& call) override {
        std::replace(sent.begin(), sent.end(), &call, static_cast<Call*>(nullptr));
        ++cancels;
    }
    void consumed(Call&, size_t bytes) override { credit += bytes; }
    void drain(milliseconds) override { draining = true; }
    void kill(const std::string& reason) override { killed = reason; }
    bool has_started(const Call& call) const override {
        const auto at = std::find(sent.begin(), sent.end(), &call);
        return static_cast<size_t>(at - sent.begin()) < entered;
    }
    size_t outstanding() const override { return sent.size(); }
    uint64_t serial() const override { return serial_; }
    int pid() const override { return 1000 + static_cast<int>(serial_); }

    // The test's side.
    void become_ready(bool concurrent = false) {
        if (concurrent) entered = static_cast<size_t>(-1);
        listener_.on_ready(*this, {"main.handle", "sync", concurrent});
    }
    void fail_start(const std::string& reason, const std::string& type = "") {
        runtime::ExitInfo why;
        why.reason = reason;
        why.type = type;
        forget();
        listener_.on_start_failed(*this, why);
    }
    /// The call at `place` has its answer; a null one was cancelled and just lets its place go.
    void answer(size_t place = 0, int status = 200, std::string_view headers = "content-type: text/plain\n",
                std::string_view body = "ok") {
        Call* call = take(place);
        if (call) call->on_response(status, headers, body, true);
        listener_.on_slot_free(*this);
    }
    void begin_stream(std::string_view body = "", size_t place = 0) {
        sent.at(place)->on_response(200, "content-type: text/plain\n", body, false);
    }
    void chunk(std::string_view body, bool end, size_t place = 0) {
        Call* call = end ? take(place) : sent.at(place);
        if (call) call->on_chunk(body, end);
        if (end) listener_.on_slot_free(*this);
    }
    void throw_error(const std::string& type, const std::string& message, size_t place = 0) {
        Call* call = take(place);
        CallFailure failure{Error(Errc::invocation_failed, "The handler threw."), type, message,
                            "stack of " + message};
        if (call) call->on_failed(failure);
        listener_.on_slot_free(*this);
    }
    /// The first `started` of what was sent had begun to run.
    void die(size_t started, const std::string& reason = "was killed by signal 9", bool asked = false,
             bool out_of_memory = false) {
        std::vector<Call*> begun, ahead;
        for (size_t i = 0; i < sent.size(); ++i)
            if (sent[i]) (i < started ? begun : ahead).push_back(sent[i]);
        sent.clear();
        forget();
        runtime::ExitInfo why;
        why.reason = reason;
        why.asked = asked;
        why.out_of_memory = out_of_memory;
        listener_.on_gone(*this, why, begun, ahead);
    }
    /// What was asked of it happens: a drained or killed instance is gone.
    void obey() { die(killed.empty() ? 0 : 1, killed.empty() ? "exited with code 0" : killed, true); }

    runtime::LaunchSpec launch_spec;
    std::deque<Call*> sent;
    size_t entered = 1;  ///< so many of `sent` have begun to run
    size_t sent_total = 0, cancels = 0, credit = 0;
    bool draining = false;
    std::string killed;

  private:
    Call* take(size_t place) {
        Call* call = sent.at(place);
        sent.erase(sent.begin() + static_cast<std::ptrdiff_t>(place));
        return call;
    }
    void forget();

    FakeBackend& backend_;
    runtime::InstanceListener& listener_;
    uint64_t serial_;
};

class FakeBackend final : public runtime::RuntimeBackend {
  public:
    Result<std::unique_ptr<runtime::Instance>> start(const runtime::LaunchSpec& spec,
                                                     runtime::InstanceListener& listener) override {
        ++starts;
        if (refuse) return *refuse;
        auto instance = std::make_unique<FakeInstance>(*this, spec, listener, starts);
        live.push_back(instance.get());
        return std::unique_ptr<runtime::Instance>(std::move(instance));
    }
    void prepare(const Version& version) override {
        prepared.push_back(version.workspace + "/" + version.function);
    }
    std::string capabilities_json() const override { return "{}"; }
    void stop(std::function<void()> done) override { done(); }

    FakeInstance& at(size_t i) { return *live.at(i); }

    std::vector<FakeInstance*> live;  ///< neither gone nor destroyed, in the order of their start
    std::vector<std::string> prepared;
    std::unique_ptr<Error> refuse;  ///< what start() says instead of starting
    size_t starts = 0, destroyed = 0;
    void (*on_send)(FakeInstance&, Call&) = nullptr;  ///< instead of keeping the call
};

inline FakeInstance::~FakeInstance() {
    forget();
    ++backend_.destroyed;
}

inline void FakeInstance::send(Call& call) {
    ++sent_total;
    sent.push_back(&call);
    if (backend_.on_send) backend_.on_send(*this, call);
}

inline void FakeInstance::forget() {
    std::erase(backend_.live, this);
}

/// A Call that remembers what happened to it.
class FakeCall final : public Call {
  public:
    FakeCall() { id = InvocationId::generate(); }
    void on_response(int s, std::string_view, std::string_view b, bool end) override {
        status = s;
        body.append(b);
        ends += end;
    }
    void on_chunk(std::string_view b, bool end) override {
        body.append(b);
        ends += end;
    }
    void on_failed(const CallFailure& f) override {
        failure = f;
        status = http_status(f.error.code);
        ++ends;
        ++failures;
    }
    bool over() const { return ends > 0; }

    int status = 0, ends = 0, failures = 0;
    std::string body;
    CallFailure failure;
};

/// Lines that were written.
class FakeLogSink final : public FunctionLogSink {
  public:
    void write(FunctionLogRecord record) override { lines.push_back(std::move(record)); }
    std::vector<FunctionLogRecord> lines;
};

}  // namespace hks::test
