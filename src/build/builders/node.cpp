// SPDX-License-Identifier: Apache-2.0
#include "../tree.hpp"
#include "builder.hpp"

#include <hks/core/json_gate.hpp>
#include <hks/storage/artifact_store.hpp>

#include <nlohmann/json.hpp>

#include <cstdlib>

namespace hks::build {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view tree = "node_modules";
constexpr const char* lock_files[] = {"npm-shrinkwrap.json", "package-lock.json"};

struct Listed {
    size_t count = 0;
    bool local = false;  ///< some come from the bundle's own folder
};

Listed read_dependencies(const nlohmann::json& package) {
    Listed out;
    for (const char* name : {"dependencies", "optionalDependencies"}) {
        const auto group = package.find(name);
        if (group == package.end() || !group->is_object()) continue;
        out.count += group->size();
        for (const auto& wanted : *group)
            if (wanted.is_string() &&
                wanted.get_ref<const std::string&>().find_first_of(":/") != std::string::npos)
                out.local = true;
    }
    // Its scripts run at the install and may read any file.
    out.local = out.local || package.contains("scripts") || package.contains("workspaces");
    return out;
}

std::string lock_text(const fs::path& folder) {
    std::string text;
    for (const char* name : lock_files)
        if (read_file(folder / name, text)) return text;
    return "";
}

Result<Dependencies> find(const BuildContext& build) {
    Dependencies found;
    std::string text;
    if (!read_file(build.folder / "package.json", text) || fs::exists(build.folder / tree)) return found;
    auto package = parse_json(text);
    if (!package || !package->is_object())
        return Error(Errc::build_failed,
                     "package.json is not a JSON object" +
                         (package ? std::string(". Correct it.") : ": " + package.error().message));
    const Listed listed = read_dependencies(*package);
    if (listed.count == 0) return found;
    std::string facts = "node\n" + build.interpreter.path + "\n" + build.interpreter.version + "\n" +
                        index_settings() + "\n" + text + "\n" + lock_text(build.folder);
    if (listed.local) {
        auto digest = storage::digest_tree(build.folder);
        if (!digest) return digest.error();
        facts += "\n" + *digest;
    }
    found.key = storage::sha256_hex(facts);
    found.file = "package.json";
    found.what = std::to_string(listed.count) + (listed.count == 1 ? " dependency" : " dependencies");
    return found;
}

std::string find_npm(const BuildContext& build) {
    const std::string beside = fs::path(build.interpreter.path).parent_path().string();
    const char* path = std::getenv("PATH");
    return find_program("npm", beside + ":" + (path ? path : "") + ":/usr/local/bin:/usr/bin");
}

Result<void> install(const BuildContext& build, const Dependencies&) {
    const std::string npm = find_npm(build);
    if (npm.empty())
        return Error(
            Errc::build_failed,
            "There is no npm for " + build.interpreter.label() +
                " on the server's host. Install it there (Debian: apt install npm), or bring node_modules "
                "along.");
    const bool locked = !lock_text(build.folder).empty();
    std::vector<std::string> argv{npm,
                                  locked ? "ci" : "install",
                                  "--omit=dev",
                                  "--no-audit",
                                  "--no-fund",
                                  "--no-update-notifier",
                                  "--no-progress",
                                  "--cache",
                                  (build.cache / "npm").string()};
    // Without a lock npm would write one, and the bundle would not be what was sent.
    if (!locked) argv.push_back("--no-package-lock");
    std::string reason;
    auto notice = [&reason](std::string_view line) {
        for (const std::string_view mark : {"npm error ", "npm ERR! "})
            if (line.starts_with(mark) && reason.empty() && !line.substr(mark.size()).starts_with("code "))
                reason = line.substr(mark.size());
    };
    if (auto done = run_tool(build, "npm", argv, notice); !done) {
        Error error = done.error();
        if (!reason.empty() && error.code == Errc::build_failed)
            error.message = "npm: " + reason + (reason.ends_with('.') ? "" : ".") +
                            " Correct package.json; the build log has all of it.";
        return error;
    }
    std::error_code failure;
    fs::create_directories(build.folder / tree, failure);
    return {};
}

// Node keeps no compiled code beside its files.
void warm_dependencies(const BuildContext&) {}
void warm_bundle(const BuildContext&, bool) {}

}  // namespace

const Builder& node_builder() {
    static constexpr Builder row{"node", tree, find, install, warm_dependencies, warm_bundle};
    return row;
}

}  // namespace hks::build
