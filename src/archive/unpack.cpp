// SPDX-License-Identifier: Apache-2.0
#include "entry_name.hpp"
#include "handles.hpp"
#include "tree_writer.hpp"

#include <hks/archive/folder.hpp>
#include <hks/core/units.hpp>

#include <array>

namespace hks::archive {
namespace {

constexpr uint64_t ratio_counts_from = 1u << 20;

Error refuse(const std::string& name, const std::string& why) {
    return Error(Errc::validation_error, "The archive was refused: '" + printable(name) + "' " + why +
                                             ". Pack the folder again without it.");
}

Error too_big(const std::string& what) {
    return Error(Errc::package_size_exceeded,
                 "The archive was refused: " + what + ". Leave out what the function does not need.");
}

/// One run of unpack().
class Unpacker {
  public:
    Unpacker(std::string_view bytes, const UnpackLimits& limits, TreeWriter& tree)
        : bytes_(bytes), limits_(limits), tree_(tree) {}

    Result<void> run() {
        archive_.reset(archive_read_new());
        ::archive* a = archive_.get();
        // A zip is read by its central directory only, so that there is one reading of it.
        if (archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
            archive_read_support_format_tar(a) != ARCHIVE_OK ||
            archive_read_support_format_zip_seekable(a) != ARCHIVE_OK)
            return Error(Errc::internal, "libarchive lacks gzip, tar or zip. Install a complete libarchive.");
        if (archive_read_open_memory(a, bytes_.data(), bytes_.size()) != ARCHIVE_OK) return broken();
        while (true) {
            archive_entry* entry = nullptr;
            const int status = archive_read_next_header(a, &entry);
            if (status == ARCHIVE_EOF) break;
            if (status < ARCHIVE_WARN) return broken();
            if (auto done = one(entry); !done) return done;
            // Now the position is that of the next header, or of the mark that ends a tar.
            if (archive_read_data_skip(a) < ARCHIVE_WARN) return broken();
            position_ = archive_filter_bytes(a, 0);
        }
        if (entries_ == 0)
            return Error(Errc::validation_error,
                         "The archive has no files. Pack the folder with the function in it.");
        return check_end_mark();
    }

  private:
    Error broken() const {
        const char* why = archive_error_string(archive_.get());
        return Error(Errc::validation_error, std::string("The archive cannot be read (") +
                                                 (why ? printable(why) : "it is not a tar, tar.gz or zip") +
                                                 "). Send a complete tar, tar.gz or zip.");
    }

    /// libarchive takes a tar that was cut between two entries for a whole one.
    Result<void> check_end_mark() const {
        const bool is_tar = (archive_format(archive_.get()) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
        if (!is_tar || archive_filter_bytes(archive_.get(), 0) > position_) return {};
        return Error(Errc::validation_error, "The archive ends in the middle. Send all of it.");
    }

    Result<void> one(archive_entry* entry) {
        const char* raw = archive_entry_pathname_utf8(entry);
        if (!raw) raw = archive_entry_pathname(entry);
        const std::string name = raw ? raw : "";
        std::vector<std::string> path;
        if (const std::string wrong = split_name(name, path); !wrong.empty()) return refuse(name, wrong);
        if (path.size() > static_cast<size_t>(limits_.max_depth))
            return too_big("'" + printable(name) + "' is nested deeper than " +
                           std::to_string(limits_.max_depth) + " folders");
        if (auto counted = count(1); !counted) return counted;
        if (archive_entry_is_encrypted(entry)) return refuse(name, "is encrypted");
        if (auto done = write(entry, name, path); !done) return done;
        return count(tree_.take_made_folders());
    }

    Result<void> count(size_t more) {
        entries_ += more;
        if (entries_ <= limits_.max_entries) return {};
        return too_big("it has more than " + std::to_string(limits_.max_entries) + " files and folders");
    }

    Result<void> write(archive_entry* entry, const std::string& name, const std::vector<std::string>& path) {
        const char* hard = archive_entry_hardlink_utf8(entry);
        if (!hard) hard = archive_entry_hardlink(entry);
        if (hard) {
            std::vector<std::string> target;
            if (!split_name(hard, target).empty() || target.empty() || path.empty())
                return refuse(name, "is a hard link that leads out of the folder");
            return checked(name, tree_.hard_link(path, target));
        }
        switch (archive_entry_filetype(entry)) {
            case AE_IFDIR:
                return checked(name, tree_.folder(path));
            case AE_IFLNK: {
                const char* target = archive_entry_symlink_utf8(entry);
                if (!target) target = archive_entry_symlink(entry);
                if (path.empty() || !target || !link_stays_inside(target, path.size() - 1))
                    return refuse(name, "is a link that leads out of the folder");
                return checked(name, tree_.link(path, target));
            }
            case AE_IFREG:
                if (path.empty()) return refuse(name, "is not a name of a file");
                return file(entry, name, path);
            default:
                return refuse(name, "is neither a file nor a folder nor a link");
        }
    }

    static Result<void> checked(const std::string& name, const TreeWriter::Outcome& outcome) {
        if (outcome.good()) return {};
        if (outcome.error.empty()) return refuse(name, outcome.refusal);
        return Error(outcome.full ? Errc::storage_full : Errc::provider_error,
                     "Writing '" + printable(name) + "' failed: " + outcome.error +
                         ". Look at the server's disk and deploy again.");
    }

    Result<void> file(archive_entry* entry, const std::string& name, const std::vector<std::string>& path) {
        if (archive_entry_size_is_set(entry) &&
            archive_entry_size(entry) > static_cast<int64_t>(limits_.max_file_bytes))
            return file_too_big(name);
        FileDescriptor out;
        if (auto made = checked(name, tree_.file(path, (archive_entry_perm(entry) & 0111) != 0, out)); !made)
            return made;
        uint64_t size = 0;
        while (true) {
            const la_ssize_t n = archive_read_data(archive_.get(), buffer_.data(), buffer_.size());
            if (n < 0) return broken();
            if (n == 0) return {};
            size += static_cast<uint64_t>(n);
            total_ += static_cast<uint64_t>(n);
            if (size > limits_.max_file_bytes) return file_too_big(name);
            if (auto fits = check_total(); !fits) return fits;
            if (auto written =
                    checked(name, TreeWriter::append(out, {buffer_.data(), static_cast<size_t>(n)}));
                !written)
                return written;
        }
    }

    Error file_too_big(const std::string& name) const {
        return too_big("'" + printable(name) + "' is larger than " + format_bytes(limits_.max_file_bytes));
    }

    Result<void> check_total() const {
        if (total_ > limits_.max_total_bytes)
            return too_big("unpacked it is larger than " + format_bytes(limits_.max_total_bytes));
        if (total_ > ratio_counts_from &&
            static_cast<double>(total_) > limits_.max_ratio * static_cast<double>(bytes_.size()))
            return too_big("it unpacks to more than " + std::to_string(static_cast<long>(limits_.max_ratio)) +
                           " times its size");
        return {};
    }

    const Utf8Names names_;
    std::string_view bytes_;
    const UnpackLimits& limits_;
    TreeWriter& tree_;
    ArchiveHandle archive_;
    size_t entries_ = 0;
    int64_t position_ = 0;
    uint64_t total_ = 0;
    std::array<char, 64 * 1024> buffer_{};
};

bool is_tar_header(std::string_view bytes) {
    constexpr size_t block = 512, checksum_at = 148, checksum_size = 8;
    if (bytes.size() < block) return false;
    if (bytes.substr(257, 5) == "ustar") return true;
    // Tars from before 1988 have nothing but the checksum.
    unsigned long sum = 0, stored = 0;
    for (size_t i = 0; i < block; ++i)
        sum +=
            i >= checksum_at && i < checksum_at + checksum_size ? ' ' : static_cast<unsigned char>(bytes[i]);
    bool digits = false;
    for (const char c : bytes.substr(checksum_at, checksum_size)) {
        if (c >= '0' && c <= '7') {
            stored = stored * 8 + static_cast<unsigned long>(c - '0');
            digits = true;
        } else if (digits) {
            break;
        }
    }
    return digits && bytes[0] != '\0' && sum == stored;
}

}  // namespace

bool is_archive(std::string_view bytes) {
    using namespace std::string_view_literals;
    return bytes.starts_with("\x1f\x8b"sv) || bytes.starts_with("PK\x03\x04"sv) ||
           bytes.starts_with("PK\x05\x06"sv) || is_tar_header(bytes);
}

Result<void> unpack(std::string_view bytes, const std::filesystem::path& folder, const UnpackLimits& limits) {
    TreeWriter tree;
    if (auto opened = tree.open(folder); !opened) return opened;
    if (!is_archive(bytes))
        return Error(Errc::validation_error,
                     "The source is not an archive that can be read. Send a tar, tar.gz or zip.");
    auto done = Unpacker(bytes, limits, tree).run();
    if (!done) tree.clear();
    return done;
}

}  // namespace hks::archive
