// SPDX-License-Identifier: Apache-2.0
#include "packager.hpp"

#include "node_source.hpp"

#include <hks/archive/folder.hpp>
#include <hks/core/json_gate.hpp>

#include <algorithm>

namespace hks::build {
namespace fs = std::filesystem;
namespace {

Error wrong(const std::string& field, const std::string& message) {
    Error error(Errc::validation_error, message);
    error.fields.push_back({field, message, 0});
    return error;
}

bool name_stays_inside(const std::string& name) {
    if (name.empty() || name.size() > 1024 || name.find('\0') != std::string::npos || !is_utf8(name))
        return false;
    const fs::path path(name);
    if (path.is_absolute() || !path.has_filename()) return false;
    return std::none_of(path.begin(), path.end(), [](const fs::path& part) {
        return part == ".." || part == "." || part.empty() || part.string().size() > 255;
    });
}

/// xz, bzip2 and whatever else is packed in a way that we do not read are no text.
bool is_text(std::string_view bytes) {
    return bytes.find('\0') == bytes.npos && is_utf8(bytes);
}

}  // namespace

std::string language_of(const BuildSource& source) {
    const std::string extension = fs::path(source.filename).extension().string();
    for (const runtime::Language& language : runtime::RuntimeTable::languages())
        if (std::find(language.extensions.begin(), language.extensions.end(), extension) !=
            language.extensions.end())
            return std::string(language.name);
    return "";
}

std::string file_name_for(const FunctionSpec& spec, std::string_view content) {
    std::string stem = spec.handler.substr(0, spec.handler.rfind('.'));
    const bool said = spec.handler.find('.') != std::string::npos && !stem.empty();
    if (spec.runtime.name == "node")
        return (said ? stem : "index") + (is_es_module(content) ? ".mjs" : ".js");
    if (said) std::replace(stem.begin(), stem.end(), '.', '/');
    return (said ? stem : "function") + ".py";
}

Result<void> check_source(const BuildSource& source, const FunctionSpec& spec) {
    if (source.archive.empty() == source.file_content.empty())
        return wrong("source_code", source.archive.empty()
                                        ? "There is no code. Send an archive or one file."
                                        : "There is an archive and a file. Send one of them.");
    if (!source.archive.empty()) {
        if (archive::is_archive(source.archive)) return {};
        return wrong("archive", "The archive is not a tar, tar.gz or zip. Pack the folder again.");
    }
    if (language_of(source).empty() && !is_text(source.file_content))
        return wrong("source_code",
                     "The code is neither a source file nor an archive that can be read. "
                     "Send a tar, tar.gz or zip.");
    if (!source.filename.empty() && !name_stays_inside(source.filename))
        return wrong("filename",
                     "The filename is not one that stays within the function's folder. "
                     "Use a name like 'function.py'.");
    if (source.filename.empty()) {
        if (spec.runtime.name.empty())
            return wrong("runtime",
                         "One file without a name and without a runtime says nothing of its language. "
                         "Add runtime or filename.");
        if (!name_stays_inside(file_name_for(spec, "")))
            return wrong("handler",
                         "The handler '" + spec.handler + "' does not name a file. Use FILE.FUNCTION.");
    }
    return {};
}

Result<TreeSize> place_source(const BuildSource& source, const FunctionSpec& spec, const fs::path& folder,
                              uint64_t max_bytes) {
    if (!source.archive.empty()) {
        archive::UnpackLimits limits;
        limits.max_total_bytes = limits.max_file_bytes = max_bytes;
        if (auto done = archive::unpack(source.archive, folder, limits); !done) return done.error();
        return measure(folder);
    }
    if (auto fine = check_source(source, spec); !fine) return fine.error();
    if (source.file_content.size() > max_bytes)
        return Error(Errc::package_size_exceeded,
                     "The file is larger than a bundle may be. Make it smaller.");
    const fs::path file =
        folder / (source.filename.empty() ? file_name_for(spec, source.file_content) : source.filename);
    std::error_code failure;
    fs::create_directories(file.parent_path(), failure);
    if (auto done = write_file(file, source.file_content); !done) return done.error();
    return TreeSize{1, source.file_content.size()};
}

}  // namespace hks::build
