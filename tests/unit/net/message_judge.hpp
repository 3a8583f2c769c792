// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads a byte stream as the edge does, without sockets: heads, bodies, the next message. The verdict on a
// stream must not depend on how its bytes were split.

#include "net/buffer.hpp"
#include "net/chunk_decoder.hpp"
#include "net/request_parser.hpp"

#include <hks/net/http_server.hpp>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace hks::net::test {

struct Message {
    std::string method, target, path, query, host, body;
    std::vector<std::pair<std::string, std::string>> headers;
    bool keep_alive = false, expects_continue = false;
    bool operator==(const Message&) const = default;
};

struct Verdict {
    int status = 0;         ///< of the refusal; 0 = none
    bool complete = true;  ///< the stream ends where a message ends
    std::vector<Message> messages;
    bool operator==(const Verdict&) const = default;
};

class MessageJudge {
  public:
    explicit MessageJudge(HttpLimits limits = {}) : limits_(limits) {}

    void feed(std::string_view bytes) {
        if (verdict_.status != 0) return;
        // A new place every time: a view that does not follow the bytes is found by the sanitizer.
        std::vector<char> moved(in_.begin(), in_.end());
        moved.insert(moved.end(), bytes.begin(), bytes.end());
        parser_.relocate(reinterpret_cast<uintptr_t>(in_.data()), in_.size(), moved.data());
        in_.swap(moved);
        while (step()) {
        }
        verdict_.complete = in_.empty() && !in_body_ && verdict_.status == 0;
    }
    const Verdict& verdict() const { return verdict_; }

  private:
    bool step() {
        if (in_body_) return step_body();
        if (in_.empty()) return false;
        const RequestParser::Status status = parser_.parse(in_.data(), in_.size());
        if (status == RequestParser::Status::need_more) return false;
        if (status == RequestParser::Status::refused) return refuse(parser_.refusal().status);
        head_.assign(in_.begin(), in_.begin() + static_cast<ptrdiff_t>(parser_.consumed()));
        parser_.relocate(reinterpret_cast<uintptr_t>(in_.data()), head_.size(), head_.data());
        consume(head_.size());
        in_body_ = true;
        body_.clear();
        chunks_.reset(limits_.body_bytes);
        if (parser_.head().content_length > limits_.body_bytes) return refuse(413);
        return true;
    }

    bool step_body() {
        const RequestHead& head = parser_.head();
        if (head.chunked) {
            size_t consumed = 0;
            const ChunkDecoder::Status status = chunks_.feed({in_.data(), in_.size()}, body_, consumed);
            consume(consumed);
            if (status == ChunkDecoder::Status::need_more) return false;
            if (status == ChunkDecoder::Status::refused) return refuse(chunks_.refusal().status);
        } else {
            if (in_.size() < head.content_length) return false;
            body_.append({in_.data(), head.content_length});
            consume(head.content_length);
        }
        Message message{std::string(head.method),
                        std::string(head.target),
                        std::string(head.path),
                        std::string(head.query),
                        std::string(head.host),
                        std::string(body_.view()),
                        {},
                        head.keep_alive,
                        head.expects_continue};
        for (const Header& header : head.headers) message.headers.emplace_back(header.name, header.value);
        verdict_.messages.push_back(std::move(message));
        parser_.reset();
        in_body_ = false;
        return true;
    }

    void consume(size_t n) { in_.erase(in_.begin(), in_.begin() + static_cast<ptrdiff_t>(n)); }

    bool refuse(int status) {
        verdict_.status = status;
        return false;
    }

    HttpLimits limits_;
    RequestParser parser_{limits_};
    ChunkDecoder chunks_{limits_};
    std::vector<char> in_, head_;
    Buffer body_;
    Verdict verdict_;
    bool in_body_ = false;
};

inline Verdict judge_whole(std::string_view bytes, const HttpLimits& limits = {}) {
    MessageJudge judge(limits);
    judge.feed(bytes);
    return judge.verdict();
}

inline Verdict judge_split(std::string_view bytes, size_t at, const HttpLimits& limits = {}) {
    MessageJudge judge(limits);
    judge.feed(bytes.substr(0, at));
    judge.feed(bytes.substr(at));
    return judge.verdict();
}

inline Verdict judge_bytewise(std::string_view bytes, const HttpLimits& limits = {}) {
    MessageJudge judge(limits);
    for (size_t i = 0; i < bytes.size(); ++i) judge.feed(bytes.substr(i, 1));
    return judge.verdict();
}

}  // namespace hks::net::test
