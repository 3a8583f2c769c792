// SPDX-License-Identifier: Apache-2.0
#include "process/zygote.hpp"

#include "process/embedded.hpp"
#include "process/requests.hpp"
#include "process/unix_message.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

namespace hks::runtime {

namespace {

constexpr const char* boot_line =
    "import os;exec(compile(os.pread(4,1<<24,0),'hks_zygote.py','exec'),{'__name__':'hks_zygote'})";

void close_all(const std::vector<int>& descriptors) {
    for (const int fd : descriptors)
        if (fd >= 0) ::close(fd);
}

}  // namespace

Zygote::~Zygote() {
    for (const auto& pending : pending_) close_all(pending.descriptors);
}

Result<void> Zygote::boot(Spawner& spawner, const std::string& code_path) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return Error(Errc::provider_error,
                     std::string("cannot make a socket for the zygote: ") + std::strerror(errno));
    const int size = 1 << 20;
    (void)::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    socket_.assign(ends[0]);
    socket_.non_blocking(true);
    const std::vector<int> descriptors{ends[1], make_memory_file("hks_zygote.py", embedded_python_zygote()),
                                       make_memory_file("hks_worker.py", embedded_python_worker()),
                                       make_memory_file("hks_sandbox.so", embedded_sandbox_object())};
    const std::string message =
        execute_request(serial_, nullptr, {interpreter_, "-I", "-S", "-B", "-c", boot_line},
                        {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "TZ=UTC", "HOME=/",
                         "HKS_CODE_PATH=" + (code_path.empty() ? std::string("/") : code_path)});
    auto sent = spawner.send(message, descriptors);
    close_all(descriptors);
    if (!sent) return sent;
    wait_readable();
    return {};
}

void Zygote::fork(uint64_t serial, const hks_sandbox_spec& spec, std::vector<int> descriptors) {
    Pending request;
    request.message.append(reinterpret_cast<const char*>(&serial), sizeof serial);
    request.message.append(reinterpret_cast<const char*>(&spec), sizeof spec);
    request.descriptors = std::move(descriptors);
    pending_.push_back(std::move(request));
    flush();
}

void Zygote::flush() {
    while (!pending_.empty() && !waiting_for_room_) {
        Pending& next = pending_.front();
        const int error = send_message(socket_.native_handle(), next.message, next.descriptors, 0);
        if (error == EAGAIN || error == ETOOMANYREFS) {
            waiting_for_room_ = true;
            socket_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                               [self = shared_from_this()](const boost::system::error_code& failed) {
                                   self->waiting_for_room_ = false;
                                   if (!failed) self->flush();
                               });
            return;
        }
        // Any other error: it is dying, and the end of the socket tells the host.
        close_all(next.descriptors);
        pending_.pop_front();
    }
}

void Zygote::wait_readable() {
    socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                           if (!error && !self->stopped_) self->on_readable();
                       });
}

void Zygote::on_readable() {
    std::array<char, 256> buffer;
    std::vector<int> none;
    while (!stopped_) {
        const long size = receive_message(socket_.native_handle(), buffer, none);
        close_all(none);
        if (size < 0 && errno == EAGAIN) return wait_readable();
        if (size <= 0) return gone();
        SpawnReport report;
        if (static_cast<size_t>(size) != sizeof report) continue;
        std::memcpy(&report, buffer.data(), sizeof report);
        if (report.kind == ReportKind::ready) warm_ = true;
        host_.zygote_report(*this, report);
    }
}

void Zygote::gone() {
    if (stopped_) return;
    auto self = shared_from_this();
    stop();
    host_.zygote_gone(*this);
}

void Zygote::stop() {
    stopped_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
    for (const auto& pending : pending_) close_all(pending.descriptors);
    pending_.clear();
}

}  // namespace hks::runtime
