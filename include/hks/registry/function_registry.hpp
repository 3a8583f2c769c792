// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one truth about workspaces, functions, versions and triggers: SQLite (registry.db, synchronous=FULL),
// one transaction a write, then a new Catalog in watch(). Blocking; any thread; never on the loop. Rows carry
// a CRC32C that is checked on read.

#include <hks/core/clock.hpp>
#include <hks/registry/catalog.hpp>
#include <hks/storage/database.hpp>

#include <optional>
#include <set>

namespace hks::telemetry {
class Logger;
}

namespace hks::registry {

struct FunctionRecord {
    std::string id, name, workspace;
    std::string status;      ///< pending building ready error deleting
    int active_version = 0;  ///< 0 = none
    std::map<std::string, std::string> labels;
    FunctionSpec spec;  ///< of the active version (while none is: of the newest); triggers as they are
    std::vector<TriggerEntry> triggers;
    WallTime created_at{}, updated_at{};
    int64_t revision = 0;  ///< grows with every write; the ETag
};

struct VersionRecord {
    int64_t key = 0;
    int number = 0;
    std::string function_id;
    std::string status;  ///< pending building success failed
    std::string digest;
    FunctionSpec spec;
    std::string runtime;   ///< "python3.11", resolved; "" until built
    std::string error;     ///< why it failed, one paragraph
    bool activate = true;  ///< switch to it when the build succeeds
    WallTime created_at{};
    std::optional<WallTime> finished_at;
};

struct Page {
    size_t limit = 20;
    std::string cursor;  ///< opaque; "" = from the start
};
template <class T>
struct PageOf {
    std::vector<T> items;
    std::optional<std::string> next_cursor;
};

/// What a deploy asks for.
struct NewVersion {
    FunctionSpec spec;
    std::map<std::string, std::string> labels;
    bool activate = true;
    std::string expected_revision;  ///< If-Match: the ETag the caller saw; "" = do not check
};

class FunctionRegistry {
  public:
    FunctionRegistry(storage::Database& database, const Clock& clock, telemetry::Logger& logger);
    ~FunctionRegistry();

    /// Migrations; versions that were building when the server died become failed ("interrupted by a
    /// restart").
    Result<void> open();
    CatalogWatch& watch() { return watch_; }

    /// A new function with version 1 in status building. ALREADY_EXISTS; CONFLICT for a trigger path that is
    /// taken.
    Result<std::pair<FunctionRecord, VersionRecord>> create(const std::string& workspace,
                                                            const std::string& name,
                                                            const NewVersion& version);
    /// The next version of an existing function, in status building. Labels change now, triggers with the
    /// switch.
    Result<std::pair<FunctionRecord, VersionRecord>> add_version(const std::string& workspace,
                                                                 const std::string& function,
                                                                 const NewVersion& version);
    /// The build succeeded: resolved spec and bundle. Switches, and makes the spec's triggers the function's,
    /// when the version asked for it, no newer version was activated by its deploy, and nobody activated one
    /// by hand since this one was made. CONFLICT when a path was taken in the meantime: the version has
    /// failed then. One transaction.
    Result<void> finish_version(int64_t key, const FunctionSpec& resolved, const std::string& runtime,
                                const std::string& digest);
    /// Nothing happens to a version that has failed already.
    Result<void> fail_version(int64_t key, const std::string& error);
    Result<FunctionRecord> activate(const std::string& workspace, const std::string& function, int number,
                                    const std::string& expected_revision = "");
    /// To `number`, or to the newest built version before the active one. VERSION_NOT_FOUND when there is
    /// none.
    Result<FunctionRecord> rollback(const std::string& workspace, const std::string& function,
                                    std::optional<int> number);

    /// `function` is a name or an id, everywhere.
    Result<FunctionRecord> get(const std::string& workspace, const std::string& function) const;
    Result<PageOf<FunctionRecord>> list(const std::string& workspace, const Page& page) const;
    Result<VersionRecord> version(const std::string& workspace, const std::string& function,
                                  int number) const;
    Result<PageOf<VersionRecord>> versions(const std::string& workspace, const std::string& function,
                                           const Page& page) const;  ///< newest first
    Result<FunctionRecord> set_labels(const std::string& workspace, const std::string& function,
                                      const std::map<std::string, std::string>& labels,
                                      const std::string& expected_revision = "");
    Result<void> remove(const std::string& workspace, const std::string& function,
                        const std::string& expected_revision = "");

    Result<TriggerEntry> add_trigger(const std::string& workspace, const std::string& function,
                                     const TriggerSpec& trigger);
    /// `trigger` is a name or an id; `expected_revision`: see revision_of().
    Result<TriggerEntry> update_trigger(const std::string& workspace, const std::string& function,
                                        const std::string& trigger, const TriggerSpec& spec,
                                        const std::string& expected_revision = "");
    Result<void> remove_trigger(const std::string& workspace, const std::string& function,
                                const std::string& trigger, const std::string& expected_revision = "");

    /// Digests that some version still names: everything else in the ArtifactStore may be swept.
    Result<std::set<std::string>> digests_in_use() const;

    /// Idempotency-Key of API writes: the stored answer for (principal, method, path, key), or nothing. A
    /// different body under the same key is CONFLICT.
    struct StoredAnswer {
        int status = 0;
        std::string body;
    };
    Result<std::optional<StoredAnswer>> recall(const std::string& scope, const std::string& key,
                                               const std::string& body_digest);
    Result<void> remember(const std::string& scope, const std::string& key, const std::string& body_digest,
                          const StoredAnswer& answer);  ///< kept 24 h

    struct Impl;  ///< of the registry's own files

  private:
    Result<void> load_catalog();
    Result<FunctionRecord> switch_to(const std::string& workspace, const std::string& function,
                                     std::optional<int> number, const std::string& expected_revision);

    std::unique_ptr<Impl> impl_;
    CatalogWatch watch_;
};

}  // namespace hks::registry
