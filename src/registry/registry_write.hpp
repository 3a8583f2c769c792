// SPDX-License-Identifier: Apache-2.0
#pragma once
// One write to the registry: the rows in one transaction, then the next Catalog, in the order of the commits.
// Lives on the stack of the calling thread and keeps other writers out until it is gone. Blocking.

#include "function_store.hpp"

#include <memory>
#include <mutex>
#include <string>

namespace hks::registry {

struct FunctionRegistry::Impl {
    Impl(storage::Database& db, const Clock& c, telemetry::Logger& l)
        : database(db), clock(c), logger(l), store(db) {}

    storage::Database& database;
    const Clock& clock;
    telemetry::Logger& logger;
    FunctionStore store;
    std::mutex writing;  ///< taken before the database's lock: held over commit and publication
    std::mutex sweeping;
    WallTime next_sweep{};  ///< of expired idempotency rows

    /// Row, triggers, and the spec's triggers as they are now. The caller holds the database's lock.
    Result<FunctionRow> load(const std::string& id) const;
    Result<FunctionRow> load(const std::string& workspace, const std::string& function) const;
    Result<void> forget_expired(WallTime now);
};

class RegistryWrite {
  public:
    RegistryWrite(FunctionRegistry::Impl& impl, CatalogWatch& watch);

    Result<void> begin();
    Catalog& catalog() { return *next_; }
    WallTime now() const { return now_; }
    /// Stamps and stores the row of a new or of a known function, and its entry in the next catalog.
    Result<void> insert(FunctionRow& row);
    Result<void> save(FunctionRow& row, const VersionRecord* built = nullptr);
    Result<void> replace_triggers(FunctionRow& row, std::vector<TriggerEntry> triggers);
    /// CONFLICT, or VALIDATION_ERROR for a path that cannot be one.
    Result<void> check_triggers(const FunctionRow& row, const std::vector<TriggerEntry>& triggers);
    Result<void> remove(const std::string& id);
    Result<void> commit();

  private:
    Result<void> stamp(FunctionRow& row);
    void put_entry(const FunctionRow& row, const VersionRecord* built);

    FunctionRegistry::Impl& impl_;
    CatalogWatch& watch_;
    std::lock_guard<std::mutex> writing_;
    std::unique_ptr<storage::Transaction> transaction_;
    std::shared_ptr<Catalog> next_;
    WallTime now_;
};

std::shared_ptr<const Version> make_version(const FunctionRecord& function, const VersionRecord& record);
/// PRECONDITION_FAILED unless `expected` ("", "*", "7", "\"7\"", W/…) fits.
Result<void> check_revision(const FunctionRecord& record, const std::string& expected);

}  // namespace hks::registry
