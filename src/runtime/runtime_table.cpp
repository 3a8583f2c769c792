// SPDX-License-Identifier: Apache-2.0
#include <hks/runtime/runtime_table.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <vector>

namespace hks::runtime {

namespace fs = std::filesystem;

namespace {

/// A folder that shows its language in none of this many entries is asked about no further.
constexpr size_t most_files = 20'000;

struct Numbers {
    int major = -1, minor = -1;
};

/// "3.11.2", "20", "v20.1" → numbers; a missing one is -1.
Numbers numbers_of(std::string_view text) {
    Numbers out;
    const auto* end = text.data() + text.size();
    auto [at, error] = std::from_chars(text.data(), end, out.major);
    if (error != std::errc{}) return {};
    if (at != end && *at == '.') std::from_chars(at + 1, end, out.minor);
    return out;
}

/// What is compared to find the nearest: Python's minor within its major, Node's major.
int rank(const Interpreter& interpreter) {
    const Numbers n = numbers_of(interpreter.version);
    return interpreter.language == "node" ? n.major : n.minor;
}

std::string spelled(const RuntimeSpec& spec) {
    return spec.name + spec.version;
}

std::string list_of(const std::vector<Interpreter>& found) {
    std::string out;
    for (const auto& interpreter : found) out += (out.empty() ? "" : ", ") + interpreter.label();
    return out.empty() ? "none at all" : out;
}

/// "pkg.mod.func" → "pkg/mod"; "" when it names no file inside the folder.
std::string file_stem_of(const std::string& handler) {
    std::string stem = handler.substr(0, handler.rfind('.'));
    if (stem == handler || stem.starts_with('.') || stem.find("..") != stem.npos || stem.starts_with('/'))
        return {};
    std::replace(stem.begin(), stem.end(), '.', '/');
    return stem;
}

bool is_of(const Language& language, const std::string& file) {
    return std::any_of(language.extensions.begin(), language.extensions.end(),
                       [&](std::string_view extension) { return file.ends_with(extension); });
}

/// Folders of installed packages and hidden ones say nothing of what the function itself is written in.
bool any_file_below(const fs::path& folder, const Language& language) {
    std::error_code error;
    size_t seen = 0;
    for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end && seen < most_files;
         at.increment(error), ++seen) {
        const std::string name = at->path().filename().string();
        const auto kind = at->symlink_status(error).type();
        if (kind == fs::file_type::directory && (name.starts_with('.') || name == "node_modules"))
            at.disable_recursion_pending();
        if (kind == fs::file_type::regular && is_of(language, name)) return true;
    }
    return false;
}

const Interpreter* nearest(const std::vector<const Interpreter*>& candidates, int wanted) {
    const Interpreter* newer = nullptr;
    const Interpreter* older = nullptr;
    for (const Interpreter* each : candidates) {
        const int r = rank(*each);
        if (r >= wanted && (newer == nullptr || r < rank(*newer))) newer = each;
        if (r < wanted && (older == nullptr || r > rank(*older))) older = each;
    }
    return newer != nullptr ? newer : older;
}

}  // namespace

std::string Interpreter::label() const {
    const Numbers n = numbers_of(version);
    if (language == "node") return language + std::to_string(n.major);
    return language + std::to_string(n.major) + "." + std::to_string(n.minor);
}

const std::vector<Language>& RuntimeTable::languages() {
    static const std::vector<Language> rows{
        {"python",
         StartMethod::zygote,
         {"function", "main", "index", "handler", "app"},
         {"handle", "handler", "main", "app"},
         {".py"},
         {"requirements.txt", "pyproject.toml"}},
        {"node",
         StartMethod::prepared,
         {"function", "main", "index", "handler", "app"},
         {"handle", "handler", "main"},
         {".js", ".cjs", ".mjs"},
         {"package.json"}},
    };
    return rows;
}

StartMethod RuntimeTable::start_method(std::string_view language) {
    const auto row = std::find_if(languages().begin(), languages().end(),
                                  [&](const Language& each) { return each.name == language; });
    return row == languages().end() ? StartMethod::prepared : row->start;
}

Result<RuntimeTable::Choice> RuntimeTable::choose(const RuntimeSpec& spec) const {
    const Numbers wanted = numbers_of(spec.version);
    std::vector<const Interpreter*> candidates;
    for (const auto& interpreter : found_) {
        if (interpreter.language != spec.name) continue;
        // Python 2 code does not run on Python 3, nor the other way round.
        if (spec.name == "python" && wanted.major >= 0 &&
            numbers_of(interpreter.version).major != wanted.major)
            continue;
        candidates.push_back(&interpreter);
    }
    if (candidates.empty()) {
        Error error(Errc::invalid_runtime, "This host has no interpreter for " + spelled(spec) +
                                               ". Choose one of what it has: " + list_of(found_) + ".");
        error.fields.push_back({"spec.runtime", "choose one of: " + list_of(found_), 0});
        return error;
    }
    const int wanted_rank = spec.name == "node" ? wanted.major : wanted.minor;
    if (wanted_rank < 0) {
        // Whatever the host has: the first on the PATH, which is how the table is ordered.
        return Choice{candidates.front(), ""};
    }
    const Interpreter* chosen = nearest(candidates, wanted_rank);
    Choice choice{chosen, ""};
    if (rank(*chosen) != wanted_rank)
        choice.note = spelled(spec) + " is not on this host: running on " + chosen->label();
    return choice;
}

Result<std::string> RuntimeTable::detect(const fs::path& folder, const std::string& handler) const {
    std::set<std::string> names;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
        if (at->is_regular_file(error)) names.insert(at->path().filename().string());
    const auto has_handler_file = [&](const Language& language) {
        const auto stem = file_stem_of(handler);
        const auto is_there = [&](std::string_view extension) {
            std::error_code absent;
            return fs::is_regular_file(folder / (stem + std::string(extension)), absent);
        };
        return !stem.empty() && std::any_of(language.extensions.begin(), language.extensions.end(), is_there);
    };
    const auto has_default_file = [&](const Language& language) {
        for (const auto stem : language.default_files)
            for (const auto extension : language.extensions)
                if (names.contains(std::string(stem) + std::string(extension))) return true;
        return false;
    };
    const auto has_manifest = [&](const Language& language) {
        return std::any_of(language.manifests.begin(), language.manifests.end(),
                           [&](std::string_view name) { return names.contains(std::string(name)); });
    };
    const auto has_any_file = [&](const Language& language) {
        return std::any_of(names.begin(), names.end(),
                           [&](const std::string& name) { return is_of(language, name); });
    };
    const auto has_any_file_below = [&](const Language& language) {
        return any_file_below(folder, language);
    };
    // The surest sign first; a sign that two languages show decides nothing.
    const auto only_one = [&](const auto& shows) -> std::optional<std::string> {
        std::optional<std::string> found;
        for (const auto& language : languages()) {
            if (!shows(language)) continue;
            if (found) return std::nullopt;
            found = std::string(language.name);
        }
        return found;
    };
    if (auto found = only_one(has_handler_file)) return *found;
    if (auto found = only_one(has_default_file)) return *found;
    if (auto found = only_one(has_manifest)) return *found;
    if (auto found = only_one(has_any_file)) return *found;
    if (auto found = only_one(has_any_file_below)) return *found;
    Error unknown(
        Errc::validation_error,
        "cannot tell which language this folder is written in: name it (--runtime python or --runtime node)");
    unknown.fields.push_back({"spec.runtime", "is missing and cannot be told from the files", 0});
    return unknown;
}

}  // namespace hks::runtime
