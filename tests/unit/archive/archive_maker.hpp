// SPDX-License-Identifier: Apache-2.0
#pragma once
// Makes archives for tests, the hostile ones included, and a folder that goes away by itself.

#include <archive.h>
#include <archive_entry.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <stdlib.h>
#include <string>

namespace hks::archive::test {

namespace fs = std::filesystem;

class Folder {
  public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "hks-archive-XXXXXX").string();
        if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
        path = name;
    }
    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    void write(const std::string& name, const std::string& text) const {
        fs::create_directories((path / name).parent_path());
        std::ofstream(path / name, std::ios::binary) << text;
    }
    std::string read(const std::string& name) const {
        std::ifstream in(path / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    bool empty() const { return fs::is_empty(path); }

    fs::path path;
};

enum class Format { tar, tar_gz, pax, zip };

/// What an entry is, besides a name.
struct Item {
    unsigned type = AE_IFREG;
    std::string data{};
    std::string target{};  ///< of a symbolic link
    std::string hard_target{};
    unsigned mode = 0644;
};

class ArchiveMaker {
  public:
    explicit ArchiveMaker(Format format) : archive_(archive_write_new()) {
        if (format == Format::zip)
            archive_write_set_format_zip(archive_);
        else if (format == Format::pax)
            archive_write_set_format_pax(archive_);
        else
            archive_write_set_format_gnutar(archive_);
        if (format == Format::tar_gz) archive_write_add_filter_gzip(archive_);
        archive_write_set_bytes_in_last_block(archive_, 1);
        archive_write_open2(archive_, this, nullptr, &ArchiveMaker::take, nullptr, nullptr);
    }
    ~ArchiveMaker() { archive_write_free(archive_); }
    ArchiveMaker(const ArchiveMaker&) = delete;
    ArchiveMaker& operator=(const ArchiveMaker&) = delete;

    ArchiveMaker& add(const std::string& name, const Item& item) {
        archive_entry* entry = archive_entry_new();
        archive_entry_copy_pathname(entry, name.c_str());
        archive_entry_set_filetype(entry, item.type);
        archive_entry_set_mode(entry, item.type | item.mode);
        archive_entry_set_mtime(entry, 1, 0);
        archive_entry_set_size(entry, static_cast<int64_t>(item.data.size()));
        if (!item.target.empty()) archive_entry_copy_symlink(entry, item.target.c_str());
        if (!item.hard_target.empty()) archive_entry_copy_hardlink(entry, item.hard_target.c_str());
        if (item.type == AE_IFCHR) archive_entry_set_rdev(entry, 0x103);
        archive_write_header(archive_, entry);
        if (!item.data.empty()) archive_write_data(archive_, item.data.data(), item.data.size());
        archive_entry_free(entry);
        return *this;
    }
    ArchiveMaker& file(const std::string& name, const std::string& data, unsigned mode = 0644) {
        Item item;
        item.data = data;
        item.mode = mode;
        return add(name, item);
    }
    ArchiveMaker& folder(const std::string& name) {
        Item item;
        item.type = AE_IFDIR;
        item.mode = 0755;
        return add(name, item);
    }
    ArchiveMaker& link(const std::string& name, const std::string& target) {
        Item item;
        item.type = AE_IFLNK;
        item.target = target;
        return add(name, item);
    }
    ArchiveMaker& hard_link(const std::string& name, const std::string& target) {
        Item item;
        item.hard_target = target;
        return add(name, item);
    }
    std::string bytes() {
        archive_write_close(archive_);
        return bytes_;
    }

  private:
    static la_ssize_t take(::archive*, void* self, const void* data, size_t size) {
        static_cast<ArchiveMaker*>(self)->bytes_.append(static_cast<const char*>(data), size);
        return static_cast<la_ssize_t>(size);
    }

    ::archive* archive_;
    std::string bytes_;
};

}  // namespace hks::archive::test
