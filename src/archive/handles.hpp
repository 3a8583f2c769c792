// SPDX-License-Identifier: Apache-2.0
#pragma once
// Owners for what libarchive and the kernel hand out.

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <memory>
#include <unistd.h>
#include <utility>

namespace hks::archive {

struct FreeArchive {
    void operator()(::archive* a) const { archive_free(a); }
};
using ArchiveHandle = std::unique_ptr<::archive, FreeArchive>;

struct FreeEntry {
    void operator()(archive_entry* e) const { archive_entry_free(e); }
};
using EntryHandle = std::unique_ptr<archive_entry, FreeEntry>;

class FileDescriptor {
  public:
    explicit FileDescriptor(int fd = -1) : fd_(fd) {}
    ~FileDescriptor() { reset(); }
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        reset(std::exchange(other.fd_, -1));
        return *this;
    }
    void reset(int fd = -1) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_;
};

/// libarchive converts names by the thread's locale: while one of these lives, that is UTF-8, whatever the
/// process was started with.
class Utf8Names {
  public:
    Utf8Names() : locale_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
        if (locale_) before_ = uselocale(locale_);
    }
    ~Utf8Names() {
        if (!locale_) return;
        uselocale(before_);
        freelocale(locale_);
    }
    Utf8Names(const Utf8Names&) = delete;
    Utf8Names& operator=(const Utf8Names&) = delete;

  private:
    locale_t locale_;
    locale_t before_ = nullptr;
};

}  // namespace hks::archive
