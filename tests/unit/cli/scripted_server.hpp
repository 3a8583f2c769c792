// SPDX-License-Identifier: Apache-2.0
#pragma once
// A server that gives prepared answers, one a connection, and then closes the connection. Keeps what it was asked.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hks::cli {

inline std::string http_answer(const std::string& body, const std::string& status = "200 OK") {
    return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

class ScriptedServer {
  public:
    explicit ScriptedServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
        ::listen(listener_, 8);
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~ScriptedServer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;

    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    /// Request lines, in order.
    std::vector<std::string> asked() const {
        const std::lock_guard lock(mutex_);
        return asked_;
    }

  private:
    /// All of it: closing with something unread would reset the connection, and the answer could be lost.
    static std::string read_request(int connection) {
        std::string request;
        char piece[4096];
        for (size_t whole = std::string::npos; request.size() < whole;) {
            const ssize_t got = ::recv(connection, piece, sizeof piece, 0);
            if (got <= 0) break;
            request.append(piece, static_cast<size_t>(got));
            const size_t head = request.find("\r\n\r\n");
            if (head == std::string::npos) continue;
            const size_t length = request.find("Content-Length: ");
            whole = head + 4 + (length < head ? std::stoul(request.substr(length + 16)) : 0);
        }
        return request;
    }

    void serve() {
        for (const std::string& answer : answers_) {
            const int connection = ::accept(listener_, nullptr, nullptr);
            if (connection < 0) return;
            const std::string request = read_request(connection);
            {
                const std::lock_guard lock(mutex_);
                asked_.push_back(request.substr(0, request.find("\r\n")));
            }
            ::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
            ::close(connection);
        }
    }

    std::vector<std::string> answers_;
    mutable std::mutex mutex_;
    std::vector<std::string> asked_;
    int listener_ = -1;
    int port_ = 0;
    std::thread thread_;
};

}  // namespace hks::cli
