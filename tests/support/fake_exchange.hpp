// SPDX-License-Identifier: Apache-2.0
#pragma once
// An HttpExchange by hand: what a handler answers on one connection, request after request.

#include <hks/net/http_server.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace hks::test {

/// One connection: the answer of its last request.
class FakeExchange final : public net::HttpExchange {
  public:
    const net::HttpRequest& request() const override { return request_; }
    void respond(int s, std::string_view h, std::string_view b) override {
        status = s;
        head = h;
        body = b;
        ++answers;
        on_closed_ = nullptr;
    }
    void respond_head(int s, std::string_view h, uint64_t length) override {
        respond(s, std::string(h) + "Content-Length: " + std::to_string(length) + "\r\n", {});
    }
    void begin(int s, std::string_view h) override {
        status = s;
        head = h;
        began = true;
    }
    size_t write(std::string_view bytes) override {
        body.append(bytes);
        unread += bytes.size();
        return unread;
    }
    void finish() override {
        finished = true;
        ++answers;
        on_closed_ = nullptr;
    }
    void abort() override {
        aborted = true;
        ++answers;
        on_closed_ = nullptr;
    }
    void set_on_drained(std::function<void()> callback) override { on_drained_ = std::move(callback); }
    void set_on_closed(std::function<void()> callback) override { on_closed_ = std::move(callback); }

    void prepare(std::string method, std::string path,
                 std::vector<std::pair<std::string, std::string>> headers = {}, std::string content = "") {
        status = answers = 0;
        head.clear();
        body.clear();
        began = finished = aborted = false;
        unread = 0;
        method_ = std::move(method);
        path_ = std::move(path);
        content_ = std::move(content);
        texts_ = std::move(headers);
        headers_.clear();
        for (const auto& [name, value] : texts_) headers_.push_back({name, value});
        request_ = {};
        request_.method = method_;
        request_.head_only = method_ == "HEAD";
        request_.target = request_.raw_path = request_.path = path_;
        request_.headers = headers_;
        request_.body = content_;
        request_.remote_address = "127.0.0.1";
    }
    net::HttpRequest& edit() { return request_; }
    /// The client takes all that is there.
    void drain() {
        unread = 0;
        if (on_drained_) on_drained_();
    }
    void close() {
        if (auto callback = std::exchange(on_closed_, nullptr)) callback();
    }
    bool has(std::string_view line) const {
        return head.find(std::string(line) + "\r\n") != std::string::npos;
    }
    bool names(std::string_view header) const {
        return head.find(std::string(header) + ":") != std::string::npos;
    }

    int status = 0, answers = 0;
    std::string head, body;
    bool began = false, finished = false, aborted = false;
    size_t unread = 0;

  private:
    net::HttpRequest request_;
    std::string method_, path_, content_;
    std::vector<std::pair<std::string, std::string>> texts_;
    std::vector<Header> headers_;
    std::function<void()> on_drained_, on_closed_;
};

}  // namespace hks::test
