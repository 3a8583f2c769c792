// SPDX-License-Identifier: Apache-2.0
#pragma once
// Rows of functions, versions and triggers ↔ records: SQL, JSON and checksums, no rules. The caller holds the
// database's lock or a Transaction. Blocking.

#include <hks/registry/function_registry.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace hks::registry {

/// A function as its row has it: what people see (without triggers) and what the switch rules need.
struct FunctionRow {
    FunctionRecord record;
    int last_version = 0;
    int switch_floor = 0;
};

class FunctionStore {
  public:
    explicit FunctionStore(storage::Database& database) : database_(database) {}

    /// The next number of the registry-wide revision.
    Result<int64_t> next_revision();
    Result<int64_t> revision() const;

    /// The id of a function given by name or id; FUNCTION_NOT_FOUND. Does not read the rest of the row.
    Result<std::string> id_of(const std::string& workspace, const std::string& name_or_id) const;
    Result<FunctionRow> function(const std::string& id) const;
    /// Ids in order of their names, names greater than `after`.
    Result<std::vector<std::string>> ids(const std::string& workspace, const std::string& after,
                                         size_t limit) const;
    Result<std::vector<std::string>> all_ids() const;
    Result<void> insert(const FunctionRow& row);
    Result<void> update(const FunctionRow& row);
    Result<void> remove(const std::string& id);
    Result<bool> has_workspace(const std::string& name) const;

    Result<VersionRecord> version(const std::string& function_id, int number) const;
    Result<VersionRecord> version(int64_t key) const;
    /// Numbers below `below`, newest first; status "" = any.
    Result<std::vector<VersionRecord>> versions(const std::string& function_id, int below, size_t limit,
                                                std::string_view status = "") const;
    Result<std::vector<int64_t>> building() const;
    Result<int> count(const std::string& function_id, std::string_view status) const;
    Result<void> insert(VersionRecord& record);  ///< sets its key
    Result<void> update(const VersionRecord& record);
    Result<std::set<std::string>> digests() const;

    Result<std::vector<TriggerEntry>> triggers(const std::string& function_id) const;
    /// Makes the rows of a function these, in this order.
    Result<void> replace_triggers(const std::string& function_id, const std::vector<TriggerEntry>& triggers);

    storage::Database& database() { return database_; }

  private:
    storage::Database& database_;
};

}  // namespace hks::registry
