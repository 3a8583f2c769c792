// SPDX-License-Identifier: Apache-2.0
#pragma once
// Folder → archive (the client) and archive → folder (the server). Blocking; any thread; no state.

#include <hks/core/error.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace hks::archive {

struct PackResult {
    std::string bytes;               ///< tar.gz, reproducible: sorted, times and owners zeroed
    size_t files = 0;
    std::vector<std::string> skipped;  ///< sockets, devices, links that leave the folder
};

/// Packs a folder. .git and .env (and .env.*) never travel; .hksignore, when there, replaces .gitignore (both with git's
/// pattern rules, nested .gitignore files too); without either, __pycache__, node_modules and .venv stay behind.
Result<PackResult> pack(const std::filesystem::path& folder, uint64_t max_bytes);

struct UnpackLimits {
    uint64_t max_total_bytes = 512ull << 20;
    uint64_t max_file_bytes = 512ull << 20;
    size_t max_entries = 100'000;
    int max_depth = 64;
    double max_ratio = 1000;          ///< unpacked : packed, once 1 MiB has come out
};

/// Unpacks tar, tar.gz or zip into an empty folder. Refuses (VALIDATION_ERROR, names the entry) traversal, absolute
/// names, links that leave or lead through links, hard links out, devices, fifos, set-id bits (dropped), names that
/// are not UTF-8; PACKAGE_SIZE_EXCEEDED for bombs. On an error the folder is emptied again.
Result<void> unpack(std::string_view bytes, const std::filesystem::path& folder, const UnpackLimits& limits = {});

/// True when the bytes look like tar, gzip or zip.
bool is_archive(std::string_view bytes);

}  // namespace hks::archive
