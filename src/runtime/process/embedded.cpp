// SPDX-License-Identifier: Apache-2.0
#include "process/embedded.hpp"

#include <cstddef>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

extern "C" {
extern const char hks_shim_python_worker_begin[], hks_shim_python_worker_end[];
extern const char hks_shim_python_zygote_begin[], hks_shim_python_zygote_end[];
extern const char hks_shim_node_worker_begin[], hks_shim_node_worker_end[];
extern const char hks_shim_sandbox_begin[], hks_shim_sandbox_end[];
}

namespace hks::runtime {

namespace {
std::string_view between(const char* begin, const char* end) {
    return {begin, static_cast<size_t>(end - begin)};
}
}  // namespace

std::string_view embedded_python_worker() {
    return between(hks_shim_python_worker_begin, hks_shim_python_worker_end);
}
std::string_view embedded_python_zygote() {
    return between(hks_shim_python_zygote_begin, hks_shim_python_zygote_end);
}
std::string_view embedded_node_worker() {
    return between(hks_shim_node_worker_begin, hks_shim_node_worker_end);
}
std::string_view embedded_sandbox_object() {
    return between(hks_shim_sandbox_begin, hks_shim_sandbox_end);
}

int make_memory_file(const char* name, std::string_view bytes) {
    const int fd = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0) {
            ::close(fd);
            return -1;
        }
        bytes.remove_prefix(static_cast<size_t>(n));
    }
    ::lseek(fd, 0, SEEK_SET);
    (void)::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    return fd;
}

}  // namespace hks::runtime
