// SPDX-License-Identifier: Apache-2.0
#include "../tree.hpp"
#include "builder.hpp"

#include <hks/storage/artifact_store.hpp>

#include <algorithm>

namespace hks::build {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view tree = "_deps";

/// Prints [project] dependencies, one a line. tomllib came with 3.11; older ones have pip's copy of tomli.
constexpr const char* read_pyproject = R"(import sys
try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib
with open(sys.argv[1], "rb") as file:
    project = tomllib.load(file).get("project", {})
print("\n".join(project.get("dependencies", [])))
)";

constexpr const char* has_pip =
    "import importlib.util, sys; sys.exit(importlib.util.find_spec('pip') is None)";

/// Bytecode beside every file, as the import system looks for it (PEP 552). Unchecked hashes: it does not
/// depend on times, and nobody changes a bundle. compileall would do the same in three times the time, most
/// of it imports.
constexpr const char* compile_tree = R"(import sys, os, marshal, _imp
import _frozen_importlib_external as loader
folder, bundle, skipped = sys.argv[1:]
for path, folders, files in os.walk(folder):
    folders[:] = [f for f in folders if f != "__pycache__" and os.path.join(path, f) != skipped]
    for name in files:
        if not name.endswith(".py"):
            continue
        source = os.path.join(path, name)
        try:
            with open(source, "rb") as file:
                text = file.read()
            code = compile(text, os.path.relpath(source, bundle), "exec", 0, True)
        except Exception:
            continue
        target = loader.cache_from_source(source)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(loader.MAGIC_NUMBER + (1).to_bytes(4, "little"))
            file.write(_imp.source_hash(loader._RAW_MAGIC_NUMBER, text) + marshal.dumps(code))
)";

struct Requirements {
    size_t count = 0;
    bool local = false;  ///< some line may name a file of the bundle
};

Requirements read_requirements(std::string_view text) {
    Requirements out;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
        if (line.empty() || line.front() == '#' || line.front() == '\r') continue;
        if (line.front() != '-' || line.starts_with("-r") || line.starts_with("-e")) ++out.count;
        if (line.front() == '-' || line.find('/') != std::string_view::npos ||
            line.find("file:") != line.npos || line.find(".whl") != line.npos)
            out.local = true;
    }
    return out;
}

Result<std::string> dependencies_of_pyproject(const BuildContext& build) {
    std::vector<std::string> pythons{build.interpreter.path};
    for (const auto& other : build.runtimes.found())
        if (other.language == "python" && other.path != build.interpreter.path) pythons.push_back(other.path);
    std::string output;
    for (const std::string& python : pythons) {
        output.clear();
        if (run_quietly(build,
                        {python, "-I", "-c", read_pyproject, (build.folder / "pyproject.toml").string()},
                        &output))
            return output;
    }
    build.log.output(output);
    return Error(Errc::build_failed,
                 "pyproject.toml cannot be read; Python's own words are in the build log. Correct "
                 "it, or list the dependencies in requirements.txt.");
}

Result<Dependencies> find(const BuildContext& build) {
    Dependencies found;
    std::string text;
    fs::path file = build.folder / "requirements.txt";
    if (!read_file(file, text)) {
        if (!fs::is_regular_file(build.folder / "pyproject.toml")) return found;
        auto listed = dependencies_of_pyproject(build);
        if (!listed) return listed.error();
        text = *listed;
        file = build.scratch / "requirements.txt";
        if (auto written = write_file(file, text); !written) return written.error();
    }
    const Requirements requirements = read_requirements(text);
    if (requirements.count == 0) return found;
    std::string facts = "python\n" + build.interpreter.path + "\n" + build.interpreter.version + "\n" +
                        index_settings() + "\n" + text;
    if (requirements.local) {
        auto digest = storage::digest_tree(build.folder);
        if (!digest) return digest.error();
        facts += "\n" + *digest;
    }
    found.key = storage::sha256_hex(facts);
    found.file = file.string();
    found.what =
        std::to_string(requirements.count) + (requirements.count == 1 ? " requirement" : " requirements");
    return found;
}

/// The interpreter's own pip, or that of another one working for it.
std::vector<std::string> find_pip(const BuildContext& build) {
    const std::string& python = build.interpreter.path;
    if (run_quietly(build, {python, "-I", "-c", has_pip})) return {python, "-I", "-m", "pip"};
    for (const auto& other : build.runtimes.found())
        if (other.language == "python" && other.path != python &&
            run_quietly(build, {other.path, "-I", "-c", has_pip}))
            return {other.path, "-I", "-m", "pip", "--python", python};
    return {};
}

/// pip notes where a local file was; that is a folder of this build only, and would change the digest every
/// time.
void forget_local_origins(const fs::path& folder) {
    std::error_code failure;
    for (const auto& package : fs::directory_iterator(folder, failure)) {
        std::string text;
        if (package.path().extension() != ".dist-info" ||
            !read_file(package.path() / "direct_url.json", text) || text.find("file://") == std::string::npos)
            continue;
        fs::remove(package.path() / "direct_url.json", failure);
        std::string record, kept;
        if (!read_file(package.path() / "RECORD", record)) continue;
        for (size_t at = 0; at < record.size();) {
            const size_t end = std::min(record.find('\n', at), record.size() - 1) + 1;
            const std::string line = record.substr(at, end - at);
            if (line.find("/direct_url.json,") == std::string::npos) kept += line;
            at = end;
        }
        (void)write_file(package.path() / "RECORD", kept);
    }
}

void compile(const BuildContext& build, const fs::path& folder, const fs::path& skipped = {}) {
    // -S too: nothing but the standard library is needed, and it starts faster.
    run_quietly(build, {build.interpreter.path, "-I", "-S", "-c", compile_tree, folder.string(),
                        build.folder.string(), skipped.string()});
}

Result<void> install(const BuildContext& build, const Dependencies& dependencies) {
    std::vector<std::string> argv = find_pip(build);
    if (argv.empty())
        return Error(
            Errc::build_failed,
            "There is no pip for " + build.interpreter.label() +
                " on the server's host. Install it there (Debian: apt install python3-pip), or bring the "
                "packages along in a folder _deps.");
    const fs::path target = build.folder / tree;
    std::error_code failure;
    fs::remove_all(target, failure);
    const std::vector<std::string> options{"install",
                                           "--target",
                                           target.string(),
                                           "--no-compile",
                                           "--no-input",
                                           "--disable-pip-version-check",
                                           "--cache-dir",
                                           (build.cache / "pip").string(),
                                           "--progress-bar",
                                           "off",
                                           "-r",
                                           dependencies.file};
    argv.insert(argv.end(), options.begin(), options.end());
    std::string missing;
    auto notice = [&missing](std::string_view line) {
        if (line.starts_with("ERROR: ")) missing = line.substr(7);
    };
    if (auto done = run_tool(build, "pip", argv, notice); !done) {
        Error error = done.error();
        if (!missing.empty() && error.code == Errc::build_failed)
            error.message = "pip: " + missing + (missing.ends_with('.') ? "" : ".") +
                            " Correct the requirements; the build log has all of it.";
        return error;
    }
    fs::create_directories(target, failure);
    forget_local_origins(target);
    return {};
}

void warm_dependencies(const BuildContext& build) {
    compile(build, build.folder / tree);
}

// Costs an interpreter's start (some 15 ms a deploy) and saves every cold start 0.7 ms for a file of three
// lines, 7 ms for one of 15 KiB.
void warm_bundle(const BuildContext& build, bool installed) {
    compile(build, build.folder, installed ? build.folder / tree : fs::path());
}

}  // namespace

const Builder& python_builder() {
    static constexpr Builder row{"python", tree, find, install, warm_dependencies, warm_bundle};
    return row;
}

}  // namespace hks::build
