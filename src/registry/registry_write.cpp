// SPDX-License-Identifier: Apache-2.0
#include "registry_write.hpp"

#include "trigger_rules.hpp"

namespace hks::registry {

namespace {

std::string key_of(const FunctionRecord& record) {
    return record.workspace + "/" + record.name;
}

}  // namespace

std::shared_ptr<const Version> make_version(const FunctionRecord& function, const VersionRecord& record) {
    auto version = std::make_shared<Version>();
    version->key = record.key;
    version->number = record.number;
    version->function_id = function.id;
    version->function = function.name;
    version->workspace = function.workspace;
    version->spec = record.spec;
    version->digest = record.digest;
    return version;
}

Result<void> check_revision(const FunctionRecord& record, const std::string& expected) {
    std::string_view tag = expected;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"') tag = tag.substr(1, tag.size() - 2);
    if (expected.empty() || tag == "*" || tag == std::to_string(record.revision)) return {};
    return Error(
        Errc::precondition_failed,
        "Function '" + record.name + "' has changed since it was read. Read it again and repeat the change.");
}

Result<FunctionRow> FunctionRegistry::Impl::load(const std::string& id) const {
    auto row = store.function(id);
    if (!row) return row;
    auto triggers = store.triggers(id);
    if (!triggers) return triggers.error();
    auto& record = row->record;
    record.triggers = std::move(*triggers);
    record.spec.triggers.clear();
    for (const auto& entry : record.triggers) record.spec.triggers.push_back(entry.spec);
    return row;
}

Result<FunctionRow> FunctionRegistry::Impl::load(const std::string& workspace,
                                                 const std::string& function) const {
    auto id = store.id_of(workspace, function);
    if (!id) return id.error();
    return load(*id);
}

RegistryWrite::RegistryWrite(FunctionRegistry::Impl& impl, CatalogWatch& watch)
    : impl_(impl),
      watch_(watch),
      writing_(impl.writing),
      transaction_(std::make_unique<storage::Transaction>(impl.database)),
      now_(std::chrono::time_point_cast<std::chrono::microseconds>(impl.clock.wall())) {}

Result<void> RegistryWrite::begin() {
    next_ = std::make_shared<Catalog>(*watch_.get());
    return transaction_->begin();
}

Result<void> RegistryWrite::stamp(FunctionRow& row) {
    auto revision = impl_.store.next_revision();
    if (!revision) return revision.error();
    row.record.revision = *revision;
    row.record.updated_at = now_;
    next_->revision = static_cast<uint64_t>(*revision);
    return {};
}

Result<void> RegistryWrite::insert(FunctionRow& row) {
    if (auto r = stamp(row); !r) return r;
    if (auto r = impl_.store.insert(row); !r) return r;
    if (auto r = impl_.store.replace_triggers(row.record.id, row.record.triggers); !r) return r;
    put_entry(row, nullptr);
    return {};
}

Result<void> RegistryWrite::save(FunctionRow& row, const VersionRecord* built) {
    if (auto r = stamp(row); !r) return r;
    if (auto r = impl_.store.update(row); !r) return r;
    put_entry(row, built);
    return {};
}

Result<void> RegistryWrite::replace_triggers(FunctionRow& row, std::vector<TriggerEntry> triggers) {
    row.record.spec.triggers.clear();
    for (const auto& entry : triggers) row.record.spec.triggers.push_back(entry.spec);
    row.record.triggers = std::move(triggers);
    return impl_.store.replace_triggers(row.record.id, row.record.triggers);
}

Result<void> RegistryWrite::check_triggers(const FunctionRow& row,
                                           const std::vector<TriggerEntry>& triggers) {
    for (const auto& entry : triggers)
        if (!entry.spec.path.empty())
            if (auto r = check_trigger_path(entry.spec.path); !r) return r;
    if (auto conflict = find_conflict(*next_, row.record.workspace, row.record.name, triggers))
        return *conflict;
    return {};
}

void RegistryWrite::put_entry(const FunctionRow& row, const VersionRecord* built) {
    const auto& record = row.record;
    auto& slot = next_->functions[key_of(record)];
    auto entry = slot ? std::make_shared<FunctionEntry>(*slot) : std::make_shared<FunctionEntry>();
    entry->id = record.id;
    entry->name = record.name;
    entry->workspace = record.workspace;
    entry->triggers = record.triggers;
    if (built != nullptr) entry->versions[built->number] = make_version(record, *built);
    auto active = entry->versions.find(record.active_version);
    entry->active = active == entry->versions.end() ? nullptr : active->second;
    slot = std::move(entry);
}

Result<void> RegistryWrite::remove(const std::string& id) {
    if (auto r = impl_.store.remove(id); !r) return r;
    auto revision = impl_.store.next_revision();
    if (!revision) return revision.error();
    next_->revision = static_cast<uint64_t>(*revision);
    std::erase_if(next_->functions, [&](const auto& item) { return item.second->id == id; });
    return {};
}

Result<void> RegistryWrite::commit() {
    if (auto r = transaction_->commit(); !r) return r;
    transaction_.reset();  // a subscriber may read
    watch_.set(std::move(next_));
    return {};
}

}  // namespace hks::registry
