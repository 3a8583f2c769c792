// SPDX-License-Identifier: Apache-2.0
#include "posix.hpp"

#include <hks/storage/database.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hks::storage {

namespace {

constexpr int64_t application_id = 0x686b7301;  // "hks" 1
constexpr size_t max_idle_statements = 128;
constexpr int busy_timeout_ms = 1000;

bool is_disk_full(sqlite3* handle) {
    int code = sqlite3_errcode(handle) & 0xff;
    if (code == SQLITE_FULL) return true;
    int reason = sqlite3_system_errno(handle);
    return (code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && (reason == ENOSPC || reason == EDQUOT);
}

/// Makes the file before SQLite does, so that its mode, which the -wal file inherits, is right from the
/// start.
Result<void> create_private(const std::string& path) {
    int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0) {
        ::close(file);
        return sync_folder(std::filesystem::path(path).parent_path());
    }
    // Opening an existing file here and closing it would drop the locks that this process has on it.
    if (errno == EEXIST && ::chmod(path.c_str(), 0600) == 0) return {};
    return posix_error("cannot open database", path);
}

}  // namespace

Database::Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}

Database::~Database() {
    for (auto& [sql, statement] : idle_) sqlite3_finalize(statement);
    sqlite3_close_v2(handle_);
}

Error Database::error(std::string_view what) const {
    std::string reason = sqlite3_errmsg(handle_);
    if (is_disk_full(handle_))
        return Error(Errc::storage_full,
                     "The disk is full: " + path_ + " cannot grow. Free some space and try again.");
    int code = sqlite3_errcode(handle_) & 0xff;
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return Error(Errc::provider_error,
                     path_ + " is not a database of hks or is damaged (" + reason +
                         "). Restore the data directory from a backup, or use another one.");
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return Error(
            Errc::provider_error,
            path_ +
                " is in use by another program. Stop the other server or program, or use another data "
                "directory.");
    return Error(Errc::provider_error, "Database " + path_ + ": " + std::string(what) + ": " + reason + ".");
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Durability durability) {
    if (auto made = create_private(path); !made) return made.error();
    sqlite3* handle = nullptr;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
    if (handle == nullptr)
        return Error(Errc::provider_error, "Cannot open database " + path + ": out of memory.");
    std::unique_ptr<Database> database(new Database(handle, path));
    if (code != SQLITE_OK) return database->error("open");
    if (auto done = database->configure(durability); !done) return done.error();
    return database;
}

Result<void> Database::configure(Durability durability) {
    sqlite3_busy_timeout(handle_, busy_timeout_ms);
    // An exclusive lock keeps every other connection out, also that of a curious shell: two connections could
    // race a checkpoint against a commit. It also needs no shared memory file.
    if (auto r = execute(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;");
        !r)
        return r;
    if (auto r = claim(); !r) return r;
    if (auto r = execute("PRAGMA journal_mode = WAL"); !r) return r;
    if (auto r = execute(durability == Durability::full ? "PRAGMA synchronous = FULL"
                                                        : "PRAGMA synchronous = NORMAL");
        !r)
        return r;
    return execute(
        "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = 16777216;"
        "PRAGMA wal_autocheckpoint = 1000; PRAGMA secure_delete = FAST;");
}

/// Marks a new file as ours; refuses one that belongs to somebody else.
Result<void> Database::claim() {
    auto number = [this](const char* sql) -> Result<int64_t> {
        auto statement = prepare(sql);
        if (!statement) return statement.error();
        auto row = statement->step();
        if (!row) return row.error();
        return *row ? statement->integer(0) : 0;
    };
    auto id = number("PRAGMA application_id");
    if (!id) return id.error();
    if (*id == application_id) return {};
    auto objects = number("SELECT count(*) FROM sqlite_schema");
    if (!objects) return objects.error();
    if (*id != 0 || *objects != 0)
        return Error(
            Errc::provider_error,
            path_ + " is a database of another program. Use another data directory, or move the file away.");
    return execute("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = " +
                   std::to_string(application_id));
}

Result<Statement> Database::prepare(std::string_view sql) {
    std::lock_guard lock(mutex_);
    if (auto found = idle_.find(std::string(sql)); found != idle_.end()) {
        sqlite3_stmt* statement = found->second;
        idle_.erase(found);
        return Statement(*this, statement);
    }
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                  SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return error(sql);
    if (statement == nullptr) return Error(Errc::internal, "Empty SQL statement.");
    return Statement(*this, statement);
}

void Database::give_back(sqlite3_stmt* statement) {
    std::lock_guard lock(mutex_);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (idle_.size() < max_idle_statements)
        idle_.emplace(sqlite3_sql(statement), statement);
    else
        sqlite3_finalize(statement);
}

Result<void> Database::execute(std::string_view sql) {
    std::lock_guard lock(mutex_);
    std::string text(sql);
    if (sqlite3_exec(handle_, text.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        return error(text.size() > 80 ? text.substr(0, 80) + " …" : text);
    return {};
}

int64_t Database::last_insert_id() const {
    return sqlite3_last_insert_rowid(handle_);
}
int Database::changes() const {
    return sqlite3_changes(handle_);
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      next_(other.next_),
      bind_error_(other.bind_error_) {}

Statement::~Statement() {
    if (statement_ != nullptr) database_->give_back(statement_);
}

Statement& Statement::bind(int64_t value) {
    std::lock_guard lock(database_->mutex_);
    if (int code = sqlite3_bind_int64(statement_, next_++, value); code != SQLITE_OK) bind_error_ = code;
    return *this;
}

Statement& Statement::bind(std::string_view text) {
    std::lock_guard lock(database_->mutex_);
    // An empty view may have a null pointer, which SQLite would take for NULL.
    const char* data = text.empty() ? "" : text.data();
    int code = sqlite3_bind_text64(statement_, next_++, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    if (code != SQLITE_OK) bind_error_ = code;
    return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
    std::lock_guard lock(database_->mutex_);
    const char* data = bytes.empty() ? "" : bytes.data();
    int code = sqlite3_bind_blob64(statement_, next_++, data, bytes.size(), SQLITE_TRANSIENT);
    if (code != SQLITE_OK) bind_error_ = code;
    return *this;
}

Statement& Statement::bind_null() {
    std::lock_guard lock(database_->mutex_);
    if (int code = sqlite3_bind_null(statement_, next_++); code != SQLITE_OK) bind_error_ = code;
    return *this;
}

Result<bool> Statement::step() {
    std::lock_guard lock(database_->mutex_);
    if (bind_error_ != 0)
        return Error(Errc::internal, std::string("Database ") + database_->path() +
                                         ": a value does not fit into '" + sqlite3_sql(statement_) +
                                         "': " + sqlite3_errstr(bind_error_) + ".");
    int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    Error failure = database_->error(sqlite3_sql(statement_));
    sqlite3_reset(statement_);
    return failure;
}

Result<void> Statement::run() {
    for (;;) {
        auto row = step();
        if (!row) return row.error();
        if (!*row) return {};
    }
}

void Statement::reset() {
    std::lock_guard lock(database_->mutex_);
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
    next_ = 1;
    bind_error_ = 0;
}

int64_t Statement::integer(int column) const {
    std::lock_guard lock(database_->mutex_);
    return sqlite3_column_int64(statement_, column);
}

std::string Statement::text(int column) const {
    std::lock_guard lock(database_->mutex_);
    const void* data = sqlite3_column_type(statement_, column) == SQLITE_BLOB
                           ? sqlite3_column_blob(statement_, column)
                           : sqlite3_column_text(statement_, column);
    if (data == nullptr) return {};
    return {static_cast<const char*>(data), static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Statement::is_null(int column) const {
    std::lock_guard lock(database_->mutex_);
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Transaction::Transaction(Database& database) : database_(database), lock_(database.mutex_) {}

Transaction::~Transaction() {
    // Some errors have rolled back already; then there is nothing left to undo.
    if (open_ && sqlite3_get_autocommit(database_.handle_) == 0) (void)database_.execute("ROLLBACK");
}

Result<void> Transaction::begin() {
    auto done = database_.execute("BEGIN IMMEDIATE");
    open_ = done.has_value();
    return done;
}

Result<void> Transaction::commit() {
    if (!open_) return Error(Errc::internal, "A transaction that was not begun cannot be committed.");
    if (sqlite3_get_autocommit(database_.handle_) != 0)
        return Error(Errc::internal,
                     "Database " + database_.path() + ": the transaction was rolled back before its end.");
    auto done = database_.execute("COMMIT");
    if (done) open_ = false;
    return done;
}

}  // namespace hks::storage
