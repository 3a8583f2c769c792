// SPDX-License-Identifier: Apache-2.0
#include "net/poller.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <unistd.h>

namespace hks::net {

namespace {

constexpr int events_per_turn = 128;  // then the rest of the loop has its chance

}  // namespace

Poller::Poller(boost::asio::io_context& loop, std::function<void()> on_turn_end)
    : set_(loop), on_turn_end_(std::move(on_turn_end)) {}

Poller::~Poller() = default;

Result<void> Poller::start() {
    const int fd = ::epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return Error{Errc::internal, std::string("No epoll set can be made: ") + std::strerror(errno) +
                                         ". Raise the limit of open files."};
    boost::system::error_code error;
    set_.assign(fd, error);
    if (error) {
        ::close(fd);
        return Error{Errc::internal,
                     "The epoll set cannot join the loop: " + error.message() + ". Restart the server."};
    }
    wait();
    return {};
}

void Poller::stop() {
    stopped_ = true;
    boost::system::error_code ignored;
    set_.close(ignored);
}

bool Poller::add(int fd, uint32_t events, PollTarget& target) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &target;
    return ::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::change(int fd, uint32_t events, PollTarget& target) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &target;
    ::epoll_ctl(set_.native_handle(), EPOLL_CTL_MOD, fd, &event);
}

void Poller::wait() {
    set_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [self = shared_from_this()](const boost::system::error_code& error) {
                        if (!error && !self->stopped_) self->run_turn();
                    });
}

void Poller::run_turn() {
    std::array<epoll_event, events_per_turn> events;
    const int count = ::epoll_wait(set_.native_handle(), events.data(), events_per_turn, 0);
    for (int i = 0; i < count && !stopped_; ++i)
        static_cast<PollTarget*>(events[static_cast<size_t>(i)].data.ptr)
            ->on_poll(events[static_cast<size_t>(i)].events);
    if (stopped_) return;
    on_turn_end_();
    if (!stopped_) wait();
}

}  // namespace hks::net
