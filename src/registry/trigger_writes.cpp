// SPDX-License-Identifier: Apache-2.0
#include "registry_write.hpp"
#include "trigger_rules.hpp"

#include <hks/core/ids.hpp>
#include <hks/registry/function_registry.hpp>
#include <hks/storage/artifact_store.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hks::registry {

namespace {

using Entries = std::vector<TriggerEntry>;

/// Names win over ids; ids have a '_', which no name has.
Entries::iterator find_trigger(Entries& entries, const std::string& name_or_id) {
    return std::find_if(entries.begin(), entries.end(),
                        [&](const auto& e) { return e.spec.name == name_or_id || e.id == name_or_id; });
}

Error no_trigger(const std::string& function, const std::string& trigger) {
    return Error(Errc::trigger_not_found, "Function '" + function + "' has no trigger '" + trigger +
                                              "'. See the list of its triggers.");
}

Error name_taken(const std::string& function, const std::string& name) {
    return Error(Errc::already_exists,
                 "Function '" + function + "' has a trigger '" + name + "' already. Choose another name.");
}

Result<void> check_revision(const TriggerEntry& trigger, const std::string& expected) {
    if (expected.empty() || expected == revision_of(trigger)) return {};
    return Error(Errc::precondition_failed, "Trigger '" + trigger.spec.name +
                                                "' has changed since it was read. Read it again and repeat "
                                                "the change.");
}

bool has_name(const Entries& entries, const std::string& name) {
    return std::any_of(entries.begin(), entries.end(), [&](const auto& e) { return e.spec.name == name; });
}

}  // namespace

std::string revision_of(const TriggerEntry& trigger) {
    return storage::sha256_hex(trigger.id + "\n" + trigger_to_json(trigger.spec).dump()).substr(0, 16);
}

Result<TriggerEntry> FunctionRegistry::add_trigger(const std::string& workspace, const std::string& function,
                                                   const TriggerSpec& trigger) {
    RegistryWrite write(*impl_, watch_);
    if (auto r = write.begin(); !r) return r.error();
    auto row = impl_->load(workspace, function);
    if (!row) return row.error();
    Entries entries = row->record.triggers;
    TriggerEntry entry{make_id("trg_"), trigger};
    if (entry.spec.name.empty()) entry.spec.name = free_name(entry.spec.type, entries);
    if (has_name(entries, entry.spec.name)) return name_taken(row->record.name, entry.spec.name);
    entries.push_back(entry);
    if (auto r = write.check_triggers(*row, entries); !r) return r.error();
    if (auto r = write.replace_triggers(*row, std::move(entries)); !r) return r.error();
    if (auto r = write.save(*row); !r) return r.error();
    if (auto r = write.commit(); !r) return r.error();
    return entry;
}

Result<TriggerEntry> FunctionRegistry::update_trigger(const std::string& workspace,
                                                      const std::string& function, const std::string& trigger,
                                                      const TriggerSpec& spec,
                                                      const std::string& expected_revision) {
    RegistryWrite write(*impl_, watch_);
    if (auto r = write.begin(); !r) return r.error();
    auto row = impl_->load(workspace, function);
    if (!row) return row.error();
    Entries entries = row->record.triggers;
    auto found = find_trigger(entries, trigger);
    if (found == entries.end()) return no_trigger(row->record.name, trigger);
    if (auto same = check_revision(*found, expected_revision); !same) return same.error();
    std::string old_name = found->spec.name;
    std::string new_name = spec.name.empty() ? old_name : spec.name;
    if (new_name != old_name && has_name(entries, new_name)) return name_taken(row->record.name, new_name);
    found->spec = spec;
    found->spec.name = new_name;
    TriggerEntry changed = *found;
    if (auto r = write.check_triggers(*row, entries); !r) return r.error();
    if (auto r = write.replace_triggers(*row, std::move(entries)); !r) return r.error();
    if (auto r = write.save(*row); !r) return r.error();
    if (auto r = write.commit(); !r) return r.error();
    return changed;
}

Result<void> FunctionRegistry::remove_trigger(const std::string& workspace, const std::string& function,
                                              const std::string& trigger,
                                              const std::string& expected_revision) {
    RegistryWrite write(*impl_, watch_);
    if (auto r = write.begin(); !r) return r;
    auto row = impl_->load(workspace, function);
    if (!row) return row.error();
    Entries entries = row->record.triggers;
    auto found = find_trigger(entries, trigger);
    if (found == entries.end()) return no_trigger(row->record.name, trigger);
    if (auto same = check_revision(*found, expected_revision); !same) return same;
    entries.erase(found);
    if (auto r = write.replace_triggers(*row, std::move(entries)); !r) return r;
    if (auto r = write.save(*row); !r) return r;
    return write.commit();
}

}  // namespace hks::registry
