// SPDX-License-Identifier: Apache-2.0
#include "data_directory.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace hks::app {
namespace {

Error cannot(const std::string& what, const std::string& path) {
    return {Errc::provider_error, "The data directory cannot be used: " + what + " " + path + " failed (" +
                                      std::strerror(errno) +
                                      "). Give another one with --data-dir, or correct its owner "
                                      "and mode."};
}

/// The number that the lock's holder wrote into it; 0 when it cannot be read.
int read_pid(int file) {
    char text[32];
    const ssize_t length = ::pread(file, text, sizeof text, 0);
    int pid = 0;
    if (length > 0) std::from_chars(text, text + length, pid);
    return pid;
}

bool write_all(int file, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(file, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text.remove_prefix(static_cast<size_t>(written));
    }
    return true;
}

}  // namespace

DataDirectory::~DataDirectory() {
    if (lock_ >= 0) ::close(lock_);
}

Result<void> DataDirectory::open() {
    std::error_code failed;
    std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), failed);
    if (::mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST) return cannot("making", path_);
    const std::string file = path("lock");
    lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock_ < 0) return cannot("opening", file);
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return cannot("locking", file);
        const int pid = read_pid(lock_);
        return Error(Errc::conflict, "Another server" +
                                         (pid > 0 ? " (pid " + std::to_string(pid) + ")" : std::string()) +
                                         " uses the data directory " + path_ +
                                         ". Stop it, or start this one with another --data-dir.");
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, pid.data(), pid.size(), 0) < 0)
        return cannot("writing", file);
    return {};
}

Result<std::string> DataDirectory::read_admin_token() const {
    const std::string file = path("admin-token");
    const int in = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (in < 0 && errno == ENOENT) return std::string();
    if (in < 0) return cannot("opening", file);
    char text[256];
    const ssize_t length = ::read(in, text, sizeof text);
    // Anything else than a readable file is for a person to look at, not to be written over.
    if (length < 0) {
        const Error error = cannot("reading", file);
        ::close(in);
        return error;
    }
    ::close(in);
    std::string token(text, static_cast<size_t>(length));
    explicit_bzero(text, sizeof text);
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' '))
        token.pop_back();
    return token;
}

Result<void> DataDirectory::write_admin_token(const std::string& token) const {
    const std::string file = path("admin-token"), temporary = file + ".new";
    ::unlink(temporary.c_str());
    const int out = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out < 0) return cannot("making", temporary);
    const bool written = write_all(out, token + "\n") && ::fsync(out) == 0;
    ::close(out);
    if (!written || ::rename(temporary.c_str(), file.c_str()) != 0) return cannot("writing", file);
    const int folder = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        ::fsync(folder);
        ::close(folder);
    }
    return {};
}

}  // namespace hks::app
