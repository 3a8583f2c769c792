// SPDX-License-Identifier: Apache-2.0
#include "entry_name.hpp"
#include "handles.hpp"
#include "ignore_rules.hpp"

#include <hks/archive/folder.hpp>
#include <hks/core/units.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <sys/stat.h>

namespace hks::archive {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view default_rules = "__pycache__/\nnode_modules/\n.venv/\n";
constexpr int max_depth = 64;

bool never_travels(std::string_view name) {
    return name == ".git" || name == ".env" || name.starts_with(".env.");
}

bool read_text(const fs::path& file, std::string& out) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return false;
    out.assign(std::istreambuf_iterator<char>(in), {});
    return true;
}

Error cannot_read(const std::string& name, int error) {
    return Error(Errc::validation_error,
                 "Cannot read '" + printable(name) + "': " + std::strerror(error) +
                     ". Make it readable, or name it in .hksignore to leave it behind.");
}

/// One run of pack().
class Packer {
  public:
    Packer(fs::path root, uint64_t max_bytes) : root_(std::move(root)), max_bytes_(max_bytes) {}

    Result<PackResult> run() {
        struct stat info {};
        if (::stat(root_.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
            return Error(Errc::validation_error,
                         "There is no folder '" + root_.string() + "'. Say which one with --path.");
        if (auto opened = open(); !opened) return opened.error();
        const bool own_rules = fs::exists(root_ / ".hksignore");
        rules_file_ = own_rules ? ".hksignore" : ".gitignore";
        if (!fs::exists(root_ / rules_file_)) rules_.push("", default_rules);
        if (auto walked = folder("", 0); !walked) return walked.error();
        if (archive_write_close(archive_.get()) != ARCHIVE_OK) return write_error();
        return std::move(result_);
    }

  private:
    Result<void> open() {
        archive_.reset(archive_write_new());
        ::archive* a = archive_.get();
        // GNU tar writes names as they are; gzip must not store the time.
        bool good = archive_write_set_format_gnutar(a) == ARCHIVE_OK &&
                    archive_write_add_filter_gzip(a) == ARCHIVE_OK;
        good = good && archive_write_set_filter_option(a, "gzip", "timestamp", nullptr) == ARCHIVE_OK;
        good = good && archive_write_set_filter_option(a, "gzip", "compression-level", "4") == ARCHIVE_OK;
        good = good && archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK;
        good = good && archive_write_open2(a, this, nullptr, &Packer::take, nullptr, nullptr) == ARCHIVE_OK;
        if (!good) return write_error();
        return {};
    }

    static la_ssize_t take(::archive* a, void* self, const void* bytes, size_t size) {
        auto& packer = *static_cast<Packer*>(self);
        if (packer.result_.bytes.size() + size > packer.max_bytes_) {
            packer.too_big_ = true;
            archive_set_error(a, EFBIG, "too big");
            return -1;
        }
        packer.result_.bytes.append(static_cast<const char*>(bytes), size);
        return static_cast<la_ssize_t>(size);
    }

    Error write_error() const {
        if (!too_big_) {
            const char* why = archive_error_string(archive_.get());
            return Error(Errc::internal,
                         std::string("Packing failed: ") + (why ? why : "unknown reason") + ".");
        }
        std::string message = "The packed folder is larger than " + format_bytes(max_bytes_) + ".";
        if (largest_size_ > 0)
            message += " The largest file so far is '" + printable(largest_) + "' (" +
                       std::to_string(largest_size_ >> 10) + " KiB).";
        return Error(Errc::package_size_exceeded,
                     message + " Name what the function does not need in .hksignore.");
    }

    /// `name` is relative to the root, "" for the root itself.
    Result<void> folder(const std::string& name, int depth) {
        if (depth > max_depth)
            return Error(Errc::validation_error, "'" + printable(name) + "' is nested deeper than " +
                                                     std::to_string(max_depth) + " folders. Flatten it.");
        std::error_code failure;
        std::vector<std::string> children;
        for (fs::directory_iterator it(root_ / name, failure), end; !failure && it != end;
             it.increment(failure))
            children.push_back(it->path().filename().string());
        if (failure) return cannot_read(name.empty() ? "." : name, failure.value());
        if (children.empty() && !name.empty()) return header(name, AE_IFDIR, 0755, 0, nullptr);
        std::sort(children.begin(), children.end());

        std::string text;
        const bool has_rules = read_text(root_ / name / rules_file_, text);
        if (has_rules) rules_.push(name, text);
        for (const std::string& child : children) {
            if (never_travels(child)) continue;
            if (auto done = entry(name.empty() ? child : name + "/" + child, depth); !done) return done;
        }
        if (has_rules) rules_.pop();
        return {};
    }

    Result<void> entry(const std::string& name, int depth) {
        struct stat info {};
        const fs::path path = root_ / name;
        if (::lstat(path.c_str(), &info) != 0) return cannot_read(name, errno);
        if (rules_.ignored(name, S_ISDIR(info.st_mode))) return {};
        std::vector<std::string> components;
        if (const std::string wrong = split_name(name, components); !wrong.empty()) return skip(name, wrong);
        if (S_ISDIR(info.st_mode)) return folder(name, depth + 1);
        if (S_ISLNK(info.st_mode)) return link(name, static_cast<size_t>(depth));
        if (S_ISREG(info.st_mode)) return file(name);
        return skip(name, "is neither a file nor a folder");
    }

    Result<void> skip(const std::string& name, const std::string& why) {
        result_.skipped.push_back(printable(name) + " (" + why + ")");
        return {};
    }

    Result<void> link(const std::string& name, size_t depth) {
        std::error_code failure;
        const std::string target = fs::read_symlink(root_ / name, failure).string();
        if (failure) return cannot_read(name, failure.value());
        if (!link_stays_inside(target, depth)) return skip(name, "a link that leads out of the folder");
        ++result_.files;
        return header(name, AE_IFLNK, 0777, 0, target.c_str());
    }

    Result<void> file(const std::string& name) {
        FileDescriptor in(::open((root_ / name).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        struct stat info {};
        if (!in || ::fstat(in.get(), &info) != 0) return cannot_read(name, errno);
        if (!S_ISREG(info.st_mode)) return skip(name, "is neither a file nor a folder");
        const auto size = static_cast<uint64_t>(info.st_size);
        if (size > largest_size_) {
            largest_size_ = size;
            largest_ = name;
        }
        const unsigned mode = (info.st_mode & 0100) != 0 ? 0755 : 0644;
        if (auto done = header(name, AE_IFREG, mode, info.st_size, nullptr); !done) return done;
        uint64_t left = size;
        while (left > 0) {
            const ssize_t n = ::read(in.get(), buffer_.data(), std::min<uint64_t>(buffer_.size(), left));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return cannot_read(name, errno);
            if (n == 0)
                return Error(Errc::validation_error,
                             "'" + printable(name) +
                                 "' became shorter while it was packed. Deploy again when "
                                 "nothing writes to it.");
            if (archive_write_data(archive_.get(), buffer_.data(), static_cast<size_t>(n)) != n)
                return write_error();
            left -= static_cast<uint64_t>(n);
        }
        ++result_.files;
        return {};
    }

    Result<void> header(const std::string& name, unsigned type, unsigned mode, int64_t size,
                        const char* target) {
        EntryHandle entry(archive_entry_new());
        archive_entry_copy_pathname(entry.get(), name.c_str());
        archive_entry_set_filetype(entry.get(), type);
        archive_entry_set_perm(entry.get(), mode);
        archive_entry_set_mtime(entry.get(), 0, 0);
        archive_entry_set_size(entry.get(), size);
        if (target) archive_entry_copy_symlink(entry.get(), target);
        if (archive_write_header(archive_.get(), entry.get()) < ARCHIVE_WARN) return write_error();
        if (too_big_) return write_error();
        return {};
    }

    const Utf8Names names_;
    fs::path root_;
    uint64_t max_bytes_;
    const char* rules_file_ = "";
    IgnoreRules rules_;
    PackResult result_;
    bool too_big_ = false;
    std::string largest_;
    uint64_t largest_size_ = 0;
    std::array<char, 64 * 1024> buffer_{};
    ArchiveHandle archive_;  // last: closing it may still write to the members above
};

}  // namespace

Result<PackResult> pack(const std::filesystem::path& folder, uint64_t max_bytes) {
    return Packer(folder, max_bytes).run();
}

}  // namespace hks::archive
