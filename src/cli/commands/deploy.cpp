// SPDX-License-Identifier: Apache-2.0
#include "command_table.hpp"
#include "deploy_report.hpp"
#include "deploy_spec.hpp"

#include <hks/archive/folder.hpp>
#include <hks/core/ids.hpp>
#include <hks/core/units.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <thread>

namespace hks::cli {

namespace {

namespace fs = std::filesystem;

/// A package up to here is for the server to judge; before a larger one is packed, the server is asked for its limit.
constexpr uint64_t usual_package_bytes = 64ull << 20;

/// The bounds are the server's, and only it knows them: the client checks the form alone.
constexpr SpecLimits no_limits{1ull << 60, std::chrono::hours(24 * 365)};

struct DeployOptions {
    std::string name, manifest_file, folder = ".", env_file;
    DeployFlags flags;
    bool no_traffic = false, dry_run = false, wait = true;
};

/// Everything that is known before the first byte is sent.
struct Plan {
    std::string name;
    fs::path folder;
    Json spec = Json::object();
    Json labels = Json::object();
    bool exists = false;
    bool from_manifest = false;
};

Result<std::string> read_file(const fs::path& path, const std::string& what) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return Error(Errc::validation_error, what + " " + path.string() + " cannot be read. Check the path.");
    return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<void> read_manifest(Plan& plan, const DeployOptions& options, std::string& workspace) {
    fs::path file = options.manifest_file;
    if (file.empty() && fs::exists(plan.folder / "function.yaml")) file = plan.folder / "function.yaml";
    if (file.empty()) return {};
    auto text = read_file(file, "The manifest");
    if (!text) return text.error();
    auto manifest = parse_manifest(*text, no_limits);
    if (!manifest) {
        Error error = manifest.error();
        error.message = file.string() + ": " + error.message;
        return error;
    }
    plan.from_manifest = true;
    if (plan.name.empty()) plan.name = manifest->name;
    workspace = manifest->workspace;
    if (!options.manifest_file.empty()) plan.folder = file.parent_path().empty() ? "." : file.parent_path();
    if (!manifest->spec.source_path.empty()) plan.folder /= manifest->spec.source_path;
    plan.spec = spec_to_json(manifest->spec);
    plan.spec.erase("source");
    for (const auto& [key, value] : manifest->labels) plan.labels[key] = value;
    return {};
}

/// Reads the function as it is now; without a manifest its settings are kept where no flag names them.
Result<void> read_existing(Plan& plan, ApiClient& api) {
    auto current = api.call("GET", api.in_workspace("/functions/" + url_encode(plan.name)));
    if (!current) {
        if (current.error().code == Errc::function_not_found) return {};
        return current.error();
    }
    plan.exists = true;
    if (plan.from_manifest) return {};
    plan.spec = current->value("spec", Json::object());
    plan.spec.erase("source");
    plan.labels = current->value("labels", Json::object());
    return {};
}

/// Follows the build until it has succeeded. → the version
Result<Json> wait_for_build(const Context& context, ApiClient& api, const std::string& name, int number) {
    Printer printer = context.printer();
    const std::string version_path =
        api.in_workspace("/functions/" + url_encode(name) + "/versions/" + std::to_string(number));
    std::vector<std::string> lines;
    auto done = api.follow(version_path + "/logs?follow=true", [&](const std::string& event, const Json& line) {
        if (event == "end") return false;
        printer.progress("  " + text(line, "text"));
        if (context.quiet) lines.push_back(text(line, "text"));
        return true;
    });
    if (!done) return done.error();
    for (int tries = 0;; ++tries) {
        auto version = api.call("GET", version_path);
        if (!version) return version.error();
        std::string status = text(*version, "status");
        if (status == "success") return version;
        if (status == "failed") {
            // With -q the log was not shown while it came; a failure is when it is wanted.
            for (const std::string& line : lines) std::cerr << "  " << printable(line) << "\n";
            return Error(Errc::build_failed, text(*version, "error"));
        }
        if (!*done)
            return Error(Errc::unavailable, "The server stopped before the build was done. See 'hks function logs " +
                                                name + " --build' when it runs again, or deploy again.");
        if (tries > 200)
            return Error(Errc::provider_error,
                         "The build is still not done; see 'hks function logs " + name + " --build'.");
        std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
}

Result<archive::PackResult> pack_folder(ApiClient& api, const fs::path& folder) {
    auto packed = archive::pack(folder, usual_package_bytes);
    if (packed || packed.error().code != Errc::package_size_exceeded) return packed;
    auto capabilities = api.call("GET", "/api/v1/provider/capabilities");
    if (!capabilities) return capabilities.error();
    auto limit = parse_bytes(text(capabilities->value("limits", Json::object()), "package"));
    return limit && *limit != usual_package_bytes ? archive::pack(folder, *limit) : packed;
}

Result<Json> send(const Context& context, ApiClient& api, const Plan& plan, const DeployOptions& options) {
    Printer printer = context.printer();
    auto packed = pack_folder(api, plan.folder);
    if (!packed) return packed.error();
    for (const std::string& skipped : packed->skipped) printer.progress("  left out " + skipped);
    printer.progress("Packed " + std::to_string(packed->files) + (packed->files == 1 ? " file, " : " files, ") +
                     std::to_string((packed->bytes.size() + 1023) / 1024) + " KiB.");

    Json request{{"name", plan.name}, {"spec", plan.spec}, {"labels", plan.labels}};
    if (options.no_traffic) request["traffic"] = false;
    auto spec = json_text(request);
    if (!spec) return spec.error();
    auto [type, body] = make_multipart({{"spec", "", "application/json", std::move(*spec)},
                                        {"archive", "source.tar.gz", "application/gzip", std::move(packed->bytes)}});
    std::string path = "/functions" + (plan.exists ? "/" + url_encode(plan.name) + "/versions" : "");
    return api.call_raw("POST", api.in_workspace(path), type, std::move(body));
}

void show_result(const Context& context, ApiClient& api, const Json& function, int version, bool no_traffic,
                 double seconds) {
    context.printer().object(function, "name", [&] {
        std::cout << deploy_outcome(function, version, no_traffic, seconds) << "\n";
        if (no_traffic) return;
        const std::string name = text(function, "name"), url = text(function, "url");
        if (!url.empty()) std::cout << url << "\n";
        auto triggers = api.all_items(api.in_workspace("/functions/" + url_encode(name) + "/triggers"));
        const std::string callers = triggers ? who_may_call(name, *triggers) : "";
        if (!callers.empty()) context.printer().progress(callers);
    });
}

int deploy(const Context& base_context, const DeployOptions& options) {
    auto begin = std::chrono::steady_clock::now();
    Context context = base_context;
    Plan plan;
    plan.name = options.name;
    plan.folder = options.folder;
    if (!fs::is_directory(plan.folder))
        return usage_error("--path " + options.folder + " is not a folder. Name the folder that holds the function.");

    std::string workspace;
    auto manifest = read_manifest(plan, options, workspace);
    if (!manifest) return fail(manifest.error());
    if (context.workspace_flag.empty() && !workspace.empty()) context.workspace_flag = workspace;
    if (plan.name.empty()) return usage_error("The function needs a name: hks function deploy NAME.");
    if (!is_valid_name(plan.name))
        return usage_error("'" + plan.name + "' is not a function name: lower-case letters, digits and '-', 63 at most.");
    if (!fs::is_directory(plan.folder))
        return usage_error("The manifest's source.path " + plan.folder.string() + " is not a folder.");

    ApiClient api = context.api();
    auto existing = read_existing(plan, api);
    if (!existing) return fail(existing.error());
    auto spec = apply_flags(plan.spec, options.flags);
    if (!spec) return usage_error(spec.error().message);
    plan.spec = std::move(*spec);
    auto labels = apply_labels(plan.labels, options.flags);
    if (!labels) return usage_error(labels.error().message);
    plan.labels = std::move(*labels);
    auto checked = spec_from_json(plan.spec, no_limits);
    if (!checked) return fail(checked.error());

    if (options.dry_run) {
        auto packed = pack_folder(api, plan.folder);
        if (!packed) return fail(packed.error());
        Json object{{"name", plan.name}, {"action", plan.exists ? "update" : "create"}, {"files", packed->files},
                    {"bytes", packed->bytes.size()}, {"labels", plan.labels}, {"spec", spec_to_json(*checked)}};
        context.printer().object(object, "name", [&] { std::cout << to_yaml(object) << "\n"; });
        return 0;
    }

    auto created = send(context, api, plan, options);
    if (!created) return fail(created.error());
    const Json& version_object = created->contains("version") && (*created)["version"].is_object()
                                     ? (*created)["version"]
                                     : *created;
    int version = version_object.value("version", 0);
    for (const auto& note : created->value("notes", Json::array()))
        context.printer().progress("Note: " + note.get<std::string>());
    std::string path = api.in_workspace("/functions/" + url_encode(plan.name));
    if (!options.wait) {
        context.printer().progress("Version " + std::to_string(version) + " is being built; see 'hks function logs " +
                                   plan.name + " --build'.");
        return 0;
    }
    auto built = wait_for_build(context, api, plan.name, version);
    if (!built) return fail(built.error());
    auto function = api.call("GET", path);
    if (!function) return fail(function.error());
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    show_result(context, api, *function, version, options.no_traffic, took.count());
    return 0;
}

}  // namespace

void add_deploy(CLI::App& function, Context& context) {
    auto options = std::make_shared<DeployOptions>();
    DeployFlags& flags = options->flags;
    CLI::App* command = function.add_subcommand("deploy", "Build a folder into a new version and switch to it");
    command->add_option("NAME", options->name, "Name (metadata.name of the manifest)");
    command->add_option("-f,--file", options->manifest_file, "Manifest (function.yaml in the folder when there is one)")
        ->type_name("FILE");
    command->add_option("--path", options->folder, "Folder with the code (.)")->type_name("DIR");
    command->add_option("--runtime", flags.runtime, "python3.11, node20, … (told from the files)");
    command->add_option("--handler", flags.handler, "file.function (the usual names are tried)");
    command->add_option("--trigger", flags.triggers, "http; replaces the triggers there are")
        ->check(CLI::IsMember({"http"}))->allow_extra_args(false);
    command
        ->add_option("--trigger-config", flags.trigger_config,
                     "K=V: path, methods, auth.type; changes the trigger there is (of several, name=NAME)")
        ->allow_extra_args(false);
    command->add_option("--env", flags.variables, "K=V, repeatable")->allow_extra_args(false);
    command->add_option("--env-file", options->env_file, "File with K=V lines")->type_name("FILE");
    command->add_option("--secret", flags.secrets, "ENV=NAME/KEY, repeatable")->allow_extra_args(false);
    command->add_option("--memory", flags.memory, "Memory of an instance (128Mi)");
    command->add_option("--cpu", flags.cpu, "CPU weight (100m)");
    command->add_option("--timeout", flags.timeout, "Time a call may run (30s)");
    command->add_option("--concurrency", flags.concurrency, "Calls an instance runs at once (1)");
    command->add_option("--min-scale", flags.min_scale, "Instances that are always there (0)");
    command->add_option("--max-scale", flags.max_scale, "Instances at most (100)");
    command->add_option("--label", flags.labels, "K=V, repeatable")->allow_extra_args(false);
    command->add_flag("--no-traffic", options->no_traffic, "Build it, but leave the calls where they are");
    command->add_flag("--dry-run", options->dry_run, "Show what would be sent");
    command->add_flag("--wait,!--no-wait", options->wait, "Wait for the build (yes)");
    command->callback([&context, options] {
        context.action = [&context, options] {
            if (!options->env_file.empty()) {
                auto text = read_file(options->env_file, "The environment file");
                if (!text) return fail(text.error());
                options->flags.env_file_text = std::move(*text);
            }
            return deploy(context, *options);
        };
    });
}

}  // namespace hks::cli
