// SPDX-License-Identifier: Apache-2.0
#include "sealed.hpp"

#include <hks/core/ids.hpp>
#include <hks/secrets/secret_store.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace hks::secrets {

namespace {

constexpr size_t hex_size = 2 * key_size;

Error file_error(const std::string& path, const std::string& what) {
    return Error(Errc::provider_error, "Master key " + path + ": " + what);
}

Error system_error(const std::string& path, const char* what) {
    return file_error(path, std::string(what) + " failed: " + std::strerror(errno) + ".");
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

Result<std::string> parse_hex(const std::string& path, std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
        text.remove_suffix(1);
    std::string key;
    for (size_t i = 0; i + 1 < text.size() && text.size() == hex_size; i += 2) {
        int high = hex_value(text[i]), low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) break;
        key += static_cast<char>(high * 16 + low);
    }
    if (key.size() == key_size) return key;
    OPENSSL_cleanse(key.data(), key.size());
    return file_error(path, "it must hold 64 hex digits and nothing else. Restore the file from a backup.");
}

Result<std::string> read_key(const std::string& path, int file) {
    struct stat status;
    if (::fstat(file, &status) != 0) return system_error(path, "stat");
    if (!S_ISREG(status.st_mode)) return file_error(path, "it is not a plain file. Name a plain file.");
    if ((status.st_mode & 077) != 0)
        return file_error(path,
                          "others may read it. Run: chmod 600 " + path + ", and consider the key known.");
    char buffer[hex_size + 16];
    ssize_t size = ::read(file, buffer, sizeof buffer);
    if (size < 0) return system_error(path, "read");
    auto key = parse_hex(path, {buffer, static_cast<size_t>(size)});
    OPENSSL_cleanse(buffer, sizeof buffer);
    return key;
}

/// Written aside, synced, linked: a crash leaves no half key, and two starters agree on one.
Result<void> make_key(const std::string& path) {
    Clear key, text;
    key.bytes().resize(key_size);
    random_bytes(key.bytes().data(), key_size);
    static constexpr char digits[] = "0123456789abcdef";
    text.bytes().reserve(hex_size + 1);
    for (unsigned char byte : key.view()) {
        text.bytes() += digits[byte >> 4];
        text.bytes() += digits[byte & 15];
    }
    text.bytes() += '\n';
    std::string aside = path + ".new";
    ::unlink(aside.c_str());
    int file = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return system_error(aside, "open");
    bool written =
        ::write(file, text.view().data(), text.view().size()) == static_cast<ssize_t>(text.view().size()) &&
        ::fsync(file) == 0;
    bool linked = written && (::link(aside.c_str(), path.c_str()) == 0 || errno == EEXIST);
    Error failure = linked ? Error() : system_error(path, "write");
    ::close(file);
    ::unlink(aside.c_str());
    if (!linked) return failure;
    std::filesystem::path folder = std::filesystem::path(path).parent_path();
    int parent = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = parent >= 0 && ::fsync(parent) == 0;
    if (!synced) failure = system_error(path, "sync of its folder");
    if (parent >= 0) ::close(parent);
    if (!synced) return failure;
    return {};
}

}  // namespace

Result<std::string> SecretStore::load_or_create_master_key(const std::string& path, bool allow_create) {
    for (bool made = false;; made = true) {
        int file = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (file >= 0) {
            auto key = read_key(path, file);
            ::close(file);
            return key;
        }
        if (errno != ENOENT || made) return system_error(path, "open");
        if (!allow_create)
            return file_error(path,
                              "the file is missing, and there are secrets that only it can open. Restore it "
                              "from a backup.");
        if (auto r = make_key(path); !r) return r.error();
    }
}

}  // namespace hks::secrets
