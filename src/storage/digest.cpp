// SPDX-License-Identifier: Apache-2.0
#include "posix.hpp"
#include "tree.hpp"

#include <hks/storage/artifact_store.hpp>

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace hks::storage {

namespace {

std::string to_hex(const unsigned char* bytes, size_t size) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * size);
    for (size_t i = 0; i < size; ++i) {
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

class Sha256 {
  public:
    Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
        ok_ = context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
    }
    void add(std::string_view bytes) {
        ok_ = ok_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
    }
    /// A length before every text: "ab" + "c" is not "a" + "bc".
    void add_sized(std::string_view text) {
        add_number(text.size());
        add(text);
    }
    void add_number(uint64_t value) {
        char bytes[8];
        for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
        add({bytes, sizeof bytes});
    }
    Result<std::string> hex() {
        unsigned char out[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        if (!ok_ || EVP_DigestFinal_ex(context_.get(), out, &size) != 1)
            return Error(Errc::internal, "SHA-256 is not available in this OpenSSL.");
        return to_hex(out, size);
    }

  private:
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
    bool ok_ = false;
};

Result<void> add_content(Sha256& sum, const TreeEntry& entry) {
    Descriptor file(
        ::openat(entry.parent, entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file) return posix_error("cannot read", entry.path);
    sum.add_number(static_cast<uint64_t>(entry.status.st_size));
    static thread_local std::array<char, 128 * 1024> buffer;
    uint64_t total = 0;
    for (;;) {
        ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return posix_error("cannot read", entry.path);
        if (got == 0) break;
        total += static_cast<uint64_t>(got);
        sum.add({buffer.data(), static_cast<size_t>(got)});
    }
    if (total != static_cast<uint64_t>(entry.status.st_size))
        return Error(Errc::provider_error, "'" + entry.path + "' changed while it was read. Try again.");
    return {};
}

Result<void> add_link(Sha256& sum, const TreeEntry& entry) {
    std::array<char, 4096> target;
    ssize_t size = ::readlinkat(entry.parent, entry.name.c_str(), target.data(), target.size());
    if (size < 0) return posix_error("cannot read link", entry.path);
    if (static_cast<size_t>(size) == target.size())
        return Error(Errc::validation_error,
                     "The target of link '" + entry.path + "' is too long. Remove the link.");
    sum.add_sized({target.data(), static_cast<size_t>(size)});
    return {};
}

bool is_cache(const TreeEntry& entry) {
    static constexpr std::string_view cache = "__pycache__";
    std::string_view path = entry.path;
    for (size_t at = path.find(cache); at != path.npos; at = path.find(cache, at + 1)) {
        size_t end = at + cache.size();
        bool starts = at == 0 || path[at - 1] == '/';
        bool is_folder = end < path.size() ? path[end] == '/' : entry.kind == EntryKind::folder;
        if (starts && is_folder) return true;
    }
    return false;
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), out, &size, EVP_sha256(), nullptr) != 1) return {};
    return to_hex(out, size);
}

Result<std::string> digest_tree(const std::filesystem::path& folder) {
    Sha256 sum;
    sum.add("hks-bundle|1\n");
    auto visit = [&sum](const TreeEntry& entry) -> Result<void> {
        if (entry.path.empty() || is_cache(entry)) return {};
        bool runs = entry.kind == EntryKind::file && (entry.status.st_mode & 0111) != 0;
        switch (entry.kind) {
            case EntryKind::folder:
                sum.add("d");
                break;
            case EntryKind::link:
                sum.add("l");
                break;
            case EntryKind::file:
                sum.add(runs ? "x" : "f");
                break;
        }
        sum.add_sized(entry.path);
        if (entry.kind == EntryKind::link) return add_link(sum, entry);
        return entry.kind == EntryKind::file ? add_content(sum, entry) : Result<void>{};
    };
    if (auto done = walk_tree(folder, Order::folder_first, visit); !done) return done.error();
    return sum.hex();
}

}  // namespace hks::storage
