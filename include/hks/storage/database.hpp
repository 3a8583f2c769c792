// SPDX-License-Identifier: Apache-2.0
#pragma once
// SQLite as we use it: one connection a file, which writes and checkpoints (Debian's 3.40 has the WAL-reset
// race with two), WAL, foreign keys on. Every method locks; a Transaction holds the lock for its life.
// Blocking: use it on the BlockingPool, never on the loop. SQLITE_FULL becomes Errc::storage_full, everything
// else provider_error. A reader that must not see half of another thread's transaction holds mutex() while it
// steps.

#include <hks/core/error.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

struct sqlite3;
struct sqlite3_stmt;

namespace hks::storage {

enum class Durability { full, normal };  ///< PRAGMA synchronous

class Database;

/// A prepared statement; lives no longer than its Database, used by one thread at a time under its lock.
class Statement {
  public:
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&&) = delete;
    ~Statement();

    Statement& bind(int64_t value);
    Statement& bind(int value) { return bind(static_cast<int64_t>(value)); }
    Statement& bind(std::string_view text);
    Statement& bind(const char* text) { return bind(std::string_view(text)); }
    Statement& bind_blob(std::string_view bytes);
    Statement& bind_null();

    /// True: a row is there. False: done.
    Result<bool> step();
    /// Steps to the end, for statements without rows.
    Result<void> run();
    void reset();

    int64_t integer(int column) const;
    std::string text(int column) const;  ///< also blobs
    bool is_null(int column) const;

  private:
    friend class Database;
    Statement(Database& database, sqlite3_stmt* statement) : database_(&database), statement_(statement) {}
    Database* database_;
    sqlite3_stmt* statement_;
    int next_ = 1;
    int bind_error_ = 0;  ///< first failure of a bind(), reported by step()
};

class Database {
  public:
    /// Opens or creates the file (mode 0600). Refuses a file that is not a database, one of another program,
    /// and one that is open already: the connection holds an exclusive lock.
    static Result<std::unique_ptr<Database>> open(const std::string& path, Durability durability);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    Result<Statement> prepare(std::string_view sql);
    Result<void> execute(std::string_view sql);  ///< any number of statements, no rows
    int64_t last_insert_id() const;
    int changes() const;
    std::recursive_mutex& mutex() { return mutex_; }
    const std::string& path() const { return path_; }

  private:
    friend class Statement;
    friend class Transaction;
    Database(sqlite3* handle, std::string path);
    Result<void> configure(Durability durability);
    Result<void> claim();
    Error error(std::string_view what) const;
    void give_back(sqlite3_stmt* statement);

    sqlite3* handle_;
    std::string path_;
    std::recursive_mutex mutex_;
    std::unordered_multimap<std::string, sqlite3_stmt*>
        idle_;  ///< prepared, reset, waiting for their next use
};

/// BEGIN IMMEDIATE … commit(), or ROLLBACK when it goes out of scope. Holds the database's lock.
class Transaction {
  public:
    explicit Transaction(Database& database);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    Result<void> begin();
    Result<void> commit();

  private:
    Database& database_;
    std::unique_lock<std::recursive_mutex> lock_;
    bool open_ = false;
};

/// One step of the schema of one component; several components share a database. Applied in order, all in one
/// transaction; the numbers done are kept in the table schema_migrations(component, number).
struct Migration {
    int number;  ///< 1, 2, 3 … without gaps
    std::string_view sql;
};
/// Brings a component ("registry", "auth", …) to its newest migration. Data newer than this binary is refused
/// with a clear error.
Result<void> migrate(Database& database, std::string_view component, const Migration* migrations,
                     size_t count);

}  // namespace hks::storage
