// SPDX-License-Identifier: Apache-2.0
// What a worker says, frame by frame. Nothing in it is believed: a frame that makes no sense ends the worker.
#include "process/worker.hpp"

#include <hks/core/json_gate.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>

namespace hks::runtime {

namespace {

/// How far a stream may run ahead of its client before we call it a flood: one write may be larger than its
/// credit.
constexpr uint64_t most_ahead = initial_credit + (16u << 20);

std::string text_member(const nlohmann::json& object, const char* key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

bool parse_object(std::string_view text, nlohmann::json& out) {
    auto parsed = parse_json(text);
    if (!parsed || !parsed->is_object()) return false;
    out = std::move(*parsed);
    return true;
}

}  // namespace

void Worker::nonsense(const std::string& what) {
    kill("sent a frame that makes no sense: " + what);
    end_.asked = false;
}

void Worker::handle(const Frame& frame) {
    const bool bound = state_ == State::ready || state_ == State::draining;
    switch (frame.type()) {
        case FrameType::hello:
            return handle_hello(frame);
        case FrameType::ready:
            return handle_ready(frame);
        case FrameType::failed:
            return handle_failed(frame);
        case FrameType::log:
            return handle_log(frame);
        case FrameType::pong:
            return;
        case FrameType::result:
            if (bound) return handle_result(frame);
            break;
        case FrameType::chunk:
            if (bound) return handle_chunk(frame);
            break;
        case FrameType::error:
            if (bound) return handle_error(frame);
            break;
        case FrameType::done:
            if (SentCall* entry = bound ? calls_.find(frame.header.id) : nullptr;
                entry && entry->call == nullptr)
                return finish_call(*entry);
            return nonsense("DONE for a call that nobody cancelled");
        default:
            return nonsense("type " + std::to_string(frame.header.type));
    }
    nonsense("type " + std::to_string(frame.header.type) + " before READY");
}

void Worker::handle_hello(const Frame& frame) {
    nlohmann::json hello;
    if (said_hello_ || !parse_object(frame.meta, hello)) return nonsense("HELLO");
    said_hello_ = true;
    encoding_ = text_member(hello, "encoding") == "marshal" ? EventEncoding::marshal : EventEncoding::json;
    context_.host.worker_said_hello(*this);
}

void Worker::handle_ready(const Frame& frame) {
    nlohmann::json ready;
    if (state_ != State::starting || !said_hello_ || !parse_object(frame.meta, ready))
        return nonsense("READY");
    ReadyInfo info;
    info.handler = text_member(ready, "handler");
    info.kind = text_member(ready, "kind");
    const auto concurrent = ready.find("concurrent");
    info.concurrent = concurrent != ready.end() && concurrent->is_boolean() && concurrent->get<bool>();
    // With a concurrency of 1 calls run in turn whatever the handler is.
    concurrent_ = info.concurrent && binding_.version->spec.scaling.concurrency > 1;
    was_ready_ = true;
    state_ = State::ready;
    waiting_ = Wait::none;
    wait_number_++;
    timer_.cancel();
    last_words_.clear();
    if (binding_.listener) binding_.listener->on_ready(*binding_.instance, info);
}

void Worker::handle_failed(const Frame& frame) {
    nlohmann::json failed;
    if (state_ != State::starting || !parse_object(frame.meta, failed)) return nonsense("FAILED");
    end_.type = text_member(failed, "type");
    end_.message = text_member(failed, "message");
    end_.stack = text_member(failed, "stack");
    end_.reason =
        "could not load its handler: " + end_.type + (end_.message.empty() ? "" : ": " + end_.message);
    decided_ = true;
    // It exits by itself once its last lines are out; the listener hears of it when they are in.
    state_ = State::dying;
    wait_for(Wait::grace, milliseconds(2'000));
}

void Worker::finish_call(SentCall& entry) {
    last_finished_ = entry.id;
    last_finished_invocation_ = entry.invocation;
    calls_.erase(entry);
    if (binding_.listener) binding_.listener->on_slot_free(*binding_.instance);
    if (state_ == State::draining && calls_.size() == 0) {
        if (pid_ > 0 && !exited_) ::kill(pid_, SIGTERM);
        wait_for(Wait::grace, grace_);
    }
}

void Worker::handle_result(const Frame& frame) {
    SentCall* entry = calls_.find(frame.header.id);
    const int status = status_of(frame.header.aux);
    if (entry == nullptr) return nonsense("RESULT for a call it does not have");
    if (entry->streaming) return nonsense("a second RESULT");
    if (status < 100 || status > 999) return nonsense("status " + std::to_string(status));
    const bool end = frame.end();
    Call* call = entry->call;
    if (!end) {
        entry->streaming = true;
        if (stream_too_far(*entry, frame.body.size())) return;
    }
    if (call != nullptr) {
        call->times.answered = context_.clock.steady();
        call->times.ran = end ? ran_of(frame.header.aux) : std::chrono::nanoseconds(0);
        call->started_answer = true;
        if (end) entry->call = nullptr;
        call->on_response(status, frame.meta, frame.body, end);
    }
    // The callback may have ended us, or sent more calls and so moved the table.
    if (!end || state_ == State::dying || state_ == State::gone) return;
    if (SentCall* now = calls_.find(frame.header.id)) finish_call(*now);
}

bool Worker::stream_too_far(SentCall& entry, size_t bytes) {
    if (entry.call == nullptr) return false;
    entry.ahead += bytes;
    if (entry.ahead <= most_ahead) return false;
    nonsense("a stream far beyond what its client has taken");
    return true;
}

void Worker::handle_chunk(const Frame& frame) {
    SentCall* entry = calls_.find(frame.header.id);
    if (entry == nullptr) return nonsense("CHUNK for a call it does not have");
    if (!entry->streaming) return nonsense("CHUNK before RESULT");
    if (stream_too_far(*entry, frame.body.size())) return;
    const bool end = frame.end();
    if (Call* call = entry->call) {
        if (end) entry->call = nullptr;
        call->on_chunk(frame.body, end);
    }
    if (!end || state_ == State::dying || state_ == State::gone) return;
    if (SentCall* now = calls_.find(frame.header.id)) finish_call(*now);
}

void Worker::handle_error(const Frame& frame) {
    SentCall* entry = calls_.find(frame.header.id);
    nlohmann::json thrown;
    if (entry == nullptr) return nonsense("ERROR for a call it does not have");
    if (!parse_object(frame.meta, thrown)) return nonsense("ERROR without its JSON");
    CallFailure failure;
    failure.type = text_member(thrown, "type");
    failure.exception_message = text_member(thrown, "message");
    failure.stack = text_member(thrown, "stack");
    failure.error = Error(Errc::invocation_failed, "the function threw " +
                                                       (failure.type.empty() ? "an error" : failure.type) +
                                                       "; its log has the message and the stack");
    failure.error.details.emplace_back("type", failure.type);
    write_log(LogLevel::error, "platform", entry->invocation.text(),
              failure.stack.empty() ? failure.type + ": " + failure.exception_message : failure.stack);
    if (Call* call = std::exchange(entry->call, nullptr)) {
        if (!entry->streaming) call->times.answered = context_.clock.steady();
        call->on_failed(failure);
    }
    if (state_ == State::dying || state_ == State::gone) return;
    if (SentCall* now = calls_.find(frame.header.id)) finish_call(*now);
}

void Worker::handle_log(const Frame& frame) {
    constexpr uint16_t highest = static_cast<uint16_t>(LogLevel::error);
    if (frame.header.aux > highest) return nonsense("LOG of level " + std::to_string(frame.header.aux));
    std::string_view invocation;
    if (const SentCall* entry = calls_.find(frame.header.id))
        invocation = entry->invocation.text();
    else if (frame.header.id != 0 && frame.header.id == last_finished_)
        invocation = last_finished_invocation_.text();
    const std::string_view stream = (frame.header.flags & flag_stdout) != 0   ? "stdout"
                                    : (frame.header.flags & flag_stderr) != 0 ? "stderr"
                                                                              : "log";
    write_log(static_cast<LogLevel>(frame.header.aux), stream, invocation, frame.body);
}

}  // namespace hks::runtime
