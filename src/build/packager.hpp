// SPDX-License-Identifier: Apache-2.0
#pragma once
// Source → folder: an archive is unpacked, one file gets its name. Blocking.

#include "tree.hpp"

#include <hks/build/build_service.hpp>

#include <filesystem>
#include <string>

namespace hks::build {

/// What can be said about a source without unpacking it: exactly one of archive and file, of a kind that can
/// be read, with a name that stays in the folder.
Result<void> check_source(const BuildSource& source, const FunctionSpec& spec);

/// The language that a source tells by itself: its file's extension; "" when it does not.
std::string language_of(const BuildSource& source);

/// Where a function that came as one file belongs: "function.handle" → "function.py", "index.js" or, for ES
/// modules, "index.mjs".
std::string file_name_for(const FunctionSpec& spec, std::string_view content);

/// Fills an empty folder.
Result<TreeSize> place_source(const BuildSource& source, const FunctionSpec& spec,
                              const std::filesystem::path& folder, uint64_t max_bytes);

}  // namespace hks::build
