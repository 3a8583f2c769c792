// SPDX-License-Identifier: Apache-2.0
#include "registry_write.hpp"
#include "schema.hpp"
#include "trigger_rules.hpp"

#include <hks/core/ids.hpp>
#include <hks/registry/function_registry.hpp>
#include <hks/telemetry/logger.hpp>

#include <limits>

namespace hks::registry {

namespace {

constexpr int any_number = std::numeric_limits<int>::max();

/// What a function is while nothing of it is active.
Result<std::string> status_of(FunctionStore& store, const FunctionRow& row) {
    if (row.record.active_version != 0) return std::string("ready");
    auto building = store.count(row.record.id, "building");
    if (!building) return building.error();
    if (*building > 0) return std::string("building");
    auto built = store.count(row.record.id, "success");
    if (!built) return built.error();
    return std::string(*built > 0 ? "ready" : "error");
}

std::vector<TriggerSpec> specs_of(const std::vector<TriggerEntry>& entries) {
    std::vector<TriggerSpec> specs;
    for (const auto& entry : entries) specs.push_back(entry.spec);
    return specs;
}

/// The version that row.last_version counts already; `triggers` are the wanted ones with their names.
Result<VersionRecord> insert_version(FunctionStore& store, const FunctionRow& row, const NewVersion& wanted,
                                     const std::vector<TriggerEntry>& triggers, WallTime now) {
    VersionRecord version;
    version.number = row.last_version;
    version.function_id = row.record.id;
    version.status = "building";
    version.spec = wanted.spec;
    version.spec.triggers = specs_of(triggers);
    version.activate = wanted.activate;
    version.created_at = now;
    if (auto r = store.insert(version); !r) return r.error();
    return version;
}

Result<void> mark_failed(FunctionStore& store, FunctionRow& row, VersionRecord& version,
                         const std::string& error, WallTime now) {
    version.status = "failed";
    version.error = error;
    version.finished_at = now;
    if (auto r = store.update(version); !r) return r;
    auto status = status_of(store, row);
    if (!status) return status.error();
    row.record.status = *status;
    return {};
}

Error not_building(const VersionRecord& version) {
    return Error(Errc::conflict, "Version " + std::to_string(version.number) +
                                     " is not building any more, it is " + version.status +
                                     ". Deploy a new version instead.");
}

}  // namespace

FunctionRegistry::FunctionRegistry(storage::Database& database, const Clock& clock, telemetry::Logger& logger)
    : impl_(std::make_unique<Impl>(database, clock, logger)) {}
FunctionRegistry::~FunctionRegistry() = default;

Result<void> FunctionRegistry::open() {
    if (auto r = storage::migrate(impl_->database, "registry", schema.data(), schema.size()); !r) return r;
    if (auto r = load_catalog(); !r) return r;
    auto interrupted = impl_->store.building();
    if (!interrupted) return interrupted.error();
    for (int64_t key : *interrupted) {
        auto done = fail_version(key, "The build was interrupted by a restart of the server. Deploy again.");
        if (!done)
            impl_->logger.error("an interrupted build could not be closed",
                                {{"error", done.error().message}});
    }
    return {};
}

/// A damaged row takes its own function out of service, not the server.
Result<void> FunctionRegistry::load_catalog() {
    std::lock_guard lock(impl_->database.mutex());
    auto& store = impl_->store;
    auto ids = store.all_ids();
    if (!ids) return ids.error();
    auto revision = store.revision();
    if (!revision) return revision.error();
    auto catalog = std::make_shared<Catalog>();
    catalog->revision = static_cast<uint64_t>(*revision);
    for (const auto& id : *ids) {
        auto row = impl_->load(id);
        auto versions = store.versions(id, any_number, static_cast<size_t>(any_number), "success");
        if (!row || !versions) {
            const auto& failure = row ? versions.error() : row.error();
            impl_->logger.error("a function cannot be served",
                                {{"function", id}, {"error", failure.message}});
            continue;
        }
        auto entry = std::make_shared<FunctionEntry>();
        entry->id = id;
        entry->name = row->record.name;
        entry->workspace = row->record.workspace;
        entry->triggers = row->record.triggers;
        for (const auto& version : *versions)
            entry->versions[version.number] = make_version(row->record, version);
        auto active = entry->versions.find(row->record.active_version);
        if (active != entry->versions.end()) entry->active = active->second;
        catalog->functions[entry->workspace + "/" + entry->name] = std::move(entry);
    }
    watch_.set(std::move(catalog));
    return {};
}

Result<std::pair<FunctionRecord, VersionRecord>> FunctionRegistry::create(const std::string& workspace,
                                                                          const std::string& name,
                                                                          const NewVersion& wanted) {
    if (!is_valid_name(name)) {
        Error error(Errc::validation_error,
                    "'" + name +
                        "' is not a function's name. Use 1 to 63 of a-z, 0-9 and '-', with a "
                        "letter or digit at both ends.");
        error.fields.push_back({"name", "not a name", 0});
        return error;
    }
    if (!wanted.expected_revision.empty())
        return Error(
            Errc::precondition_failed,
            "Function '" + name + "' does not exist, so it has no ETag. Create it without If-Match.");
    RegistryWrite write(*impl_, watch_);
    if (auto r = write.begin(); !r) return r.error();
    auto known = impl_->store.has_workspace(workspace);
    if (!known) return known.error();
    if (!*known)
        return Error(Errc::validation_error, "There is no workspace '" + workspace + "'. Use another one.");
    if (impl_->store.id_of(workspace, name))
        return Error(Errc::already_exists,
                     "There is a function '" + name +
                         "' already. Deploy a new version of it, or choose another name.");
    FunctionRow row;
    auto& record = row.record;
    record.id = make_id("fn_");
    record.name = name;
    record.workspace = workspace;
    record.status = "building";
    record.labels = wanted.labels;
    record.spec = wanted.spec;
    record.created_at = write.now();
    record.triggers = make_entries(wanted.spec.triggers, {});
    record.spec.triggers = specs_of(record.triggers);
    if (auto r = write.check_triggers(row, record.triggers); !r) return r.error();
    row.last_version = 1;
    if (auto r = write.insert(row); !r) return r.error();
    auto version = insert_version(impl_->store, row, wanted, record.triggers, write.now());
    if (!version) return version.error();
    if (auto r = write.commit(); !r) return r.error();
    return std::pair{std::move(record), std::move(*version)};
}

Result<std::pair<FunctionRecord, VersionRecord>> FunctionRegistry::add_version(const std::string& workspace,
                                                                               const std::string& function,
                                                                               const NewVersion& wanted) {
    RegistryWrite write(*impl_, watch_);
    if (auto r = write.begin(); !r) return r.error();
    auto row = impl_->load(workspace, function);
    if (!row) return row.error();
    if (auto r = check_revision(row->record, wanted.expected_revision); !r) return r.error();
    auto entries = make_entries(wanted.spec.triggers, row->record.triggers);
    if (auto r = write.check_triggers(*row, entries); !r) return r.error();
    ++row->last_version;
    auto version = insert_version(impl_->store, *row, wanted, entries, write.now());
    if (!version) return version.error();
    row->record.labels = wanted.labels;
    if (row->record.active_version == 0) {
        auto triggers = std::move(row->record.spec.triggers);
        row->record.spec = wanted.spec;
        row->record.spec.triggers = std::move(triggers);
        row->record.status = "building";
    }
    if (auto r = write.save(*row); !r) return r.error();
    if (auto r = write.commit(); !r) return r.error();
    return std::pair{std::move(row->record), std::move(*version)};
}

Result<void> FunctionRegistry::finish_version(int64_t key, const FunctionSpec& resolved,
                                              const std::string& runtime, const std::string& digest) {
    RegistryWrite write(*impl_, watch_);
    if (auto r = write.begin(); !r) return r;
    auto version = impl_->store.version(key);
    if (!version) return version.error();
    if (version->status != "building") return not_building(*version);
    auto row = impl_->load(version->function_id);
    if (!row) return row.error();

    bool switches = version->activate && version->number > row->switch_floor;
    auto entries = make_entries(resolved.triggers, row->record.triggers);
    if (switches) {
        // Somebody may have taken a path while this was building.
        if (auto taken = write.check_triggers(*row, entries); !taken) {
            if (auto r = mark_failed(impl_->store, *row, *version, taken.error().message, write.now()); !r)
                return r;
            if (auto r = write.save(*row); !r) return r;
            if (auto r = write.commit(); !r) return r;
            return taken;
        }
    }
    version->status = "success";
    version->spec = resolved;
    version->spec.triggers = specs_of(entries);
    version->runtime = runtime;
    version->digest = digest;
    version->finished_at = write.now();
    if (auto r = impl_->store.update(*version); !r) return r;
    row->record.status = "ready";
    if (switches) {
        row->record.active_version = version->number;
        row->switch_floor = version->number;
        row->record.spec = version->spec;
        if (auto r = write.replace_triggers(*row, std::move(entries)); !r) return r;
    }
    if (auto r = write.save(*row, &*version); !r) return r;
    return write.commit();
}

Result<void> FunctionRegistry::fail_version(int64_t key, const std::string& error) {
    RegistryWrite write(*impl_, watch_);
    if (auto r = write.begin(); !r) return r;
    auto version = impl_->store.version(key);
    if (!version) return version.error();
    if (version->status == "failed") return {};
    if (version->status != "building") return not_building(*version);
    auto row = impl_->load(version->function_id);
    if (!row) return row.error();
    if (auto r = mark_failed(impl_->store, *row, *version, error, write.now()); !r) return r;
    if (auto r = write.save(*row); !r) return r;
    return write.commit();
}

Result<FunctionRecord> FunctionRegistry::switch_to(const std::string& workspace, const std::string& function,
                                                   std::optional<int> number,
                                                   const std::string& expected_revision) {
    RegistryWrite write(*impl_, watch_);
    if (auto r = write.begin(); !r) return r.error();
    auto row = impl_->load(workspace, function);
    if (!row) return row.error();
    auto& record = row->record;
    if (auto r = check_revision(record, expected_revision); !r) return r.error();
    if (!number) {
        auto before = impl_->store.versions(record.id, record.active_version, 1, "success");
        if (!before) return before.error();
        if (before->empty())
            return Error(Errc::version_not_found,
                         "Function '" + record.name +
                             "' has no built version before the active one. Name the version "
                             "that you want.");
        number = before->front().number;
    }
    auto version = impl_->store.version(record.id, *number);
    if (!version) return version.error();
    if (version->status != "success")
        return Error(Errc::conflict, "Version " + std::to_string(*number) + " of function '" + record.name +
                                         "' is " + version->status +
                                         ". Only a version that was built can be activated.");
    record.active_version = version->number;
    // The wish of a person is newer than every build that runs now.
    row->switch_floor = row->last_version;
    auto triggers = std::move(record.spec.triggers);
    record.spec = version->spec;
    record.spec.triggers = std::move(triggers);
    record.status = "ready";
    if (auto r = write.save(*row); !r) return r.error();
    if (auto r = write.commit(); !r) return r.error();
    return std::move(record);
}

Result<FunctionRecord> FunctionRegistry::activate(const std::string& workspace, const std::string& function,
                                                  int number, const std::string& expected_revision) {
    return switch_to(workspace, function, number, expected_revision);
}

Result<FunctionRecord> FunctionRegistry::rollback(const std::string& workspace, const std::string& function,
                                                  std::optional<int> number) {
    return switch_to(workspace, function, number, "");
}

Result<FunctionRecord> FunctionRegistry::set_labels(const std::string& workspace, const std::string& function,
                                                    const std::map<std::string, std::string>& labels,
                                                    const std::string& expected_revision) {
    RegistryWrite write(*impl_, watch_);
    if (auto r = write.begin(); !r) return r.error();
    auto row = impl_->load(workspace, function);
    if (!row) return row.error();
    if (auto r = check_revision(row->record, expected_revision); !r) return r.error();
    row->record.labels = labels;
    if (auto r = write.save(*row); !r) return r.error();
    if (auto r = write.commit(); !r) return r.error();
    return std::move(row->record);
}

Result<void> FunctionRegistry::remove(const std::string& workspace, const std::string& function,
                                      const std::string& expected_revision) {
    RegistryWrite write(*impl_, watch_);
    if (auto r = write.begin(); !r) return r;
    auto id = impl_->store.id_of(workspace, function);
    if (!id) return id.error();
    // Without a condition the row is not even read: deleting is how a damaged one is got rid of.
    if (!expected_revision.empty()) {
        auto row = impl_->load(*id);
        if (!row) return row.error();
        if (auto r = check_revision(row->record, expected_revision); !r) return r;
    }
    if (auto r = write.remove(*id); !r) return r;
    return write.commit();
}

}  // namespace hks::registry
