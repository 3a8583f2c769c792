// SPDX-License-Identifier: Apache-2.0
#pragma once
// What can run here: one row per language and interpreter found. Filled once at start by looking at the host with the
// eyes of the user that functions run as; immutable afterwards, any thread.

#include <hks/core/error.hpp>
#include <hks/core/function.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace hks::runtime {

enum class StartMethod { zygote, prepared };  ///< fork of a warmed interpreter | booted worker bound once

struct Interpreter {
    std::string language;          ///< "python" | "node"
    std::string version;           ///< "3.11.2" as it prints itself
    std::string path;              ///< real path of the executable
    std::string label() const;     ///< "python3.11", "node20"
};

/// A row that does not depend on the host.
struct Language {
    std::string_view name;
    StartMethod start = StartMethod::zygote;
    std::vector<std::string_view> default_files;      ///< stems in the order tried: function main index handler app
    std::vector<std::string_view> default_functions;  ///< handle handler main (app)
    std::vector<std::string_view> extensions;         ///< ".py" | ".js" ".cjs" ".mjs"
    std::vector<std::string_view> manifests;          ///< files that tell the language: requirements.txt, package.json
};

class RuntimeTable {
  public:
    /// Looks through PATH, /usr/bin, /usr/local/bin; keeps what `uid` may read and execute (uid -1 = ourselves).
    static RuntimeTable discover(int uid);
    explicit RuntimeTable(std::vector<Interpreter> found) : found_(std::move(found)) {}

    const std::vector<Interpreter>& found() const { return found_; }
    static const std::vector<Language>& languages();
    /// Of a language that has a row.
    static StartMethod start_method(std::string_view language);

    struct Choice {
        const Interpreter* interpreter = nullptr;
        std::string note;  ///< "python3.9 is not on this host: running on python3.11"; "" when exact
    };
    /// The interpreter for a spec: exact, else the nearest (same major: the lowest newer minor, else the highest
    /// older; Node: the lowest newer major, else the highest older). INVALID_RUNTIME with the list of what there is.
    Result<Choice> choose(const RuntimeSpec& spec) const;
    /// Which language a folder is written in; VALIDATION_ERROR when it cannot be told. `handler`: "pkg.mod.func", whose
    /// file tells more than all others; "" = not said.
    Result<std::string> detect(const std::filesystem::path& folder, const std::string& handler = "") const;

  private:
    std::vector<Interpreter> found_;
};

}  // namespace hks::runtime
