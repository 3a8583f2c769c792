// SPDX-License-Identifier: Apache-2.0
#include "process/unix_message.hpp"

#include "process/spawner_protocol.hpp"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>

namespace hks::runtime {

namespace {
constexpr size_t control_bytes = CMSG_SPACE(sizeof(int) * max_message_descriptors);
}

int send_message(int socket, std::string_view message, std::span<const int> descriptors, int wait_ms) {
    iovec part{const_cast<char*>(message.data()), message.size()};
    alignas(cmsghdr) char control[control_bytes];
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!descriptors.empty()) {
        std::memset(control, 0, sizeof control);
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
    }
    while (::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN || wait_ms <= 0) return errno;
        pollfd room{socket, POLLOUT, 0};
        if (::poll(&room, 1, wait_ms) == 0) return EAGAIN;
        wait_ms = 0;
    }
    return 0;
}

long receive_message(int socket, std::span<char> buffer, std::vector<int>& descriptors) {
    descriptors.clear();
    iovec part{buffer.data(), buffer.size()};
    alignas(cmsghdr) char control[control_bytes];
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t size = -1;
    do size = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    if (size < 0) return -1;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        descriptors.resize(count);
        std::memcpy(descriptors.data(), CMSG_DATA(c), count * sizeof(int));
    }
    return size;
}

}  // namespace hks::runtime
