// SPDX-License-Identifier: Apache-2.0
#include <hks/storage/database.hpp>

namespace hks::storage {

namespace {

Result<int64_t> newest(Database& database, std::string_view component) {
    auto statement =
        database.prepare("SELECT coalesce(max(number), 0) FROM schema_migrations WHERE component = ?");
    if (!statement) return statement.error();
    auto row = statement->bind(component).step();
    if (!row) return row.error();
    return statement->integer(0);
}

Result<void> apply(Database& database, std::string_view component, const Migration& migration) {
    auto done = database.execute(migration.sql);
    if (!done)
        return Error(done.error().code, "Schema step " + std::to_string(migration.number) + " of '" +
                                            std::string(component) + "' failed, nothing was changed. " +
                                            done.error().message);
    auto note = database.prepare("INSERT INTO schema_migrations(component, number) VALUES(?, ?)");
    if (!note) return note.error();
    return note->bind(component).bind(migration.number).run();
}

}  // namespace

Result<void> migrate(Database& database, std::string_view component, const Migration* migrations,
                     size_t count) {
    for (size_t i = 0; i < count; ++i)
        if (migrations[i].number != static_cast<int>(i) + 1)
            return Error(Errc::internal, "The schema steps of '" + std::string(component) + "' have a gap.");

    Transaction transaction(database);
    if (auto r = transaction.begin(); !r) return r;
    auto table = database.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations(component TEXT NOT NULL, number INTEGER NOT NULL,"
        " PRIMARY KEY(component, number)) WITHOUT ROWID");
    if (!table) return table;
    auto current = newest(database, component);
    if (!current) return current.error();
    if (*current > static_cast<int64_t>(count))
        return Error(
            Errc::provider_error,
            database.path() + " was written by a newer hks: its '" + std::string(component) +
                "' data has version " + std::to_string(*current) + ", this program knows versions up to " +
                std::to_string(count) +
                ". Start the newer hks again, or restore a backup that was made before the upgrade.");
    for (size_t i = static_cast<size_t>(*current); i < count; ++i)
        if (auto r = apply(database, component, migrations[i]); !r) return r;
    return transaction.commit();
}

}  // namespace hks::storage
