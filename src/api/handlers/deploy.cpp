// SPDX-License-Identifier: Apache-2.0
#include "deploy.hpp"

#include "../objects.hpp"

#include <hks/runtime/runtime_table.hpp>

#include <nlohmann/json.hpp>

namespace hks::api {
namespace {

Error wrong_field(const std::string& field, const std::string& message) {
    Error error(Errc::validation_error,
                "The function is not right: " + field + " " + message + ". Correct it and send it again.");
    error.fields.push_back({field, message});
    return error;
}

/// The version whose bundle a new one may reuse: the active one, else the newest that was built.
Result<registry::VersionRecord> version_with_code(Context& context,
                                                  const registry::FunctionRecord& function) {
    auto& registry = context.services.registry;
    if (function.active_version > 0)
        return registry.version(function.workspace, function.id, function.active_version);
    registry::Page page{100, ""};
    while (true) {
        auto versions = registry.versions(function.workspace, function.id, page);
        if (!versions) return versions.error();
        for (auto& version : versions->items)
            if (version.status == "success") return std::move(version);
        if (!versions->next_cursor) break;
        page.cursor = *versions->next_cursor;
    }
    return Error(Errc::conflict,
                 "The function '" + function.name +
                     "' has no built version whose code could be used again. Send the code too, as "
                     "source_code or as the part archive.");
}

Result<std::vector<std::string>> check_reuse(Context& context, const FunctionSpec& spec,
                                             const registry::VersionRecord& from) {
    if (!from.spec.runtime.name.empty() && spec.runtime.name != from.spec.runtime.name)
        return wrong_field("spec.runtime", "is another language than that of the code (" +
                                               from.spec.runtime.name + "), so code must be sent too");
    auto choice = context.services.runtimes.choose(spec.runtime);
    if (!choice) return choice.error();
    if (choice->note.empty()) return std::vector<std::string>{};
    return std::vector<std::string>{choice->note};
}

Result<Deployed> deploy_reused(Context& context, const registry::FunctionRecord& current,
                               registry::NewVersion wanted) {
    auto from = version_with_code(context, current);
    if (!from) return from.error();
    if (wanted.spec.runtime.name.empty()) wanted.spec.runtime = from->spec.runtime;
    auto notes = check_reuse(context, wanted.spec, *from);
    if (!notes) return notes.error();
    auto made = context.services.registry.add_version(current.workspace, current.id, wanted);
    if (!made) return made.error();
    context.services.builds.enqueue_reuse(made->first, made->second, *from);
    return Deployed{std::move(made->first), std::move(made->second), std::move(*notes)};
}

}  // namespace

Result<void> check_workspace(const DeployBody& body, const std::string& workspace) {
    if (body.workspace.empty() || body.workspace == workspace) return {};
    return wrong_field("metadata.workspace", "is '" + body.workspace + "', but the path means '" + workspace +
                                                 "'; send it to that workspace, or leave it out");
}

Result<void> check_target(const DeployBody& body, const registry::FunctionRecord& current) {
    if (auto same = check_workspace(body, current.workspace); !same) return same;
    if (body.name.empty() || body.name == current.name) return {};
    return wrong_field("name", "is '" + body.name + "', but the path means '" + current.name +
                                   "'; a function is not renamed");
}

Result<Deployed> deploy_version(Context& context, const registry::FunctionRecord& current, DeployBody body,
                                const std::string& expected_revision) {
    registry::NewVersion wanted;
    wanted.spec = body.spec.value_or(current.spec);
    wanted.labels = body.labels.value_or(current.labels);
    wanted.activate = body.traffic;
    wanted.expected_revision = expected_revision;
    if (!body.has_code) return deploy_reused(context, current, std::move(wanted));

    auto notes = context.services.builds.check(wanted.spec, body.source);
    if (!notes) return notes.error();
    auto made = context.services.registry.add_version(current.workspace, current.id, wanted);
    if (!made) return made.error();
    context.services.builds.enqueue(made->first, made->second, std::move(body.source));
    return Deployed{std::move(made->first), std::move(made->second), std::move(*notes)};
}

nlohmann::json deployed_json(const Deployed& deployed, const std::string& base_url) {
    nlohmann::json out = function_json(deployed.function, base_url);
    out["version"] = version_json(deployed.version);
    out["notes"] = deployed.notes;
    return out;
}

}  // namespace hks::api
