// SPDX-License-Identifier: Apache-2.0
#include "digest.hpp"
#include "schema.hpp"

#include <hks/auth/auth.hpp>

namespace hks::auth {

namespace {

constexpr size_t verify_step = 1000;  // rows read at a time, so that nobody waits long for the database

int64_t to_micros(WallTime time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

void add_number(std::string& text, int64_t value) {
    for (int i = 0; i < 8; ++i) text += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
}

void add_text(std::string& text, std::string_view value) {
    add_number(text, static_cast<int64_t>(value.size()));
    text += value;
}

/// The digest of a row: over the digest before it and every column, each with its length.
Digest chain(std::string_view before, const AuditRecord& r) {
    std::string text = "hks-audit|1\n";
    add_text(text, before);
    add_number(text, r.key);
    add_number(text, to_micros(r.time));
    for (const auto* field : {&r.who, &r.from, &r.workspace, &r.action, &r.target}) add_text(text, *field);
    add_number(text, r.status);
    add_text(text, r.code);
    return sha256(text);
}

AuditRecord read_row(const storage::Statement& s) {
    AuditRecord r;
    r.key = s.integer(0);
    r.time = WallTime(std::chrono::microseconds(s.integer(1)));
    r.who = s.text(2);
    r.from = s.text(3);
    r.workspace = s.text(4);
    r.action = s.text(5);
    r.target = s.text(6);
    r.status = static_cast<int>(s.integer(7));
    r.code = s.text(8);
    return r;
}

constexpr const char* columns =
    "SELECT key, time, who, source, workspace, action, target, status, code, digest FROM audit ";

/// Key and digest of the newest row; {0, ""} when there is none. The key is the one that was given last.
Result<std::pair<int64_t, std::string>> newest(storage::Database& database) {
    auto s = database.prepare(
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0),"
        " (SELECT digest FROM audit ORDER BY key DESC LIMIT 1)");
    if (!s) return s.error();
    auto row = s->step();
    if (!row) return row.error();
    return std::pair{s->integer(0), s->text(1)};
}

}  // namespace

AuditLog::AuditLog(storage::Database& database, const Clock& clock) : database_(database), clock_(clock) {}

Result<void> AuditLog::open() {
    return storage::migrate(database_, "audit", audit_schema.data(), audit_schema.size());
}

Result<void> AuditLog::append(const AuditRecord& record) {
    storage::Transaction transaction(database_);
    if (auto r = transaction.begin(); !r) return r;
    auto last = newest(database_);
    if (!last) return last.error();
    AuditRecord row = record;
    row.key = last->first + 1;
    if (row.time == WallTime{}) row.time = clock_.wall();
    auto s = database_.prepare(
        "INSERT INTO audit(key, time, who, source, workspace, action, target, status, code, digest)"
        " VALUES(?,?,?,?,?,?,?,?,?,?)");
    if (!s) return s.error();
    Digest digest = chain(last->second, row);
    s->bind(row.key)
        .bind(to_micros(row.time))
        .bind(row.who)
        .bind(row.from)
        .bind(row.workspace)
        .bind(row.action);
    s->bind(row.target).bind(row.status).bind(row.code).bind_blob(view(digest));
    if (auto r = s->run(); !r) return r;
    return transaction.commit();
}

Result<std::vector<AuditRecord>> AuditLog::list(const std::string& workspace, const std::string& target,
                                                size_t limit, int64_t before_key) const {
    std::lock_guard lock(database_.mutex());
    auto s =
        database_.prepare(std::string(columns) +
                          "WHERE (? = 0 OR key < ?) AND (? = '' OR workspace = ?) AND (? = '' OR target = ?)"
                          " ORDER BY key DESC LIMIT ?");
    if (!s) return s.error();
    s->bind(before_key).bind(before_key).bind(workspace).bind(workspace).bind(target).bind(target);
    s->bind(static_cast<int64_t>(limit));
    std::vector<AuditRecord> out;
    for (;;) {
        auto row = s->step();
        if (!row) return row.error();
        if (!*row) return out;
        out.push_back(read_row(*s));
    }
}

Result<bool> AuditLog::verify() const {
    int64_t key = 0;
    std::string digest;
    for (;;) {
        std::lock_guard lock(database_.mutex());
        auto s = database_.prepare(std::string(columns) + "WHERE key > ? ORDER BY key LIMIT ?");
        if (!s) return s.error();
        s->bind(key).bind(static_cast<int64_t>(verify_step));
        size_t rows = 0;
        for (;; ++rows) {
            auto row = s->step();
            if (!row) return row.error();
            if (!*row) break;
            AuditRecord record = read_row(*s);
            std::string kept = s->text(9);
            if (record.key != key + 1 || view(chain(digest, record)) != kept) return false;
            key = record.key;
            digest = std::move(kept);
        }
        if (rows == verify_step) continue;
        auto last = newest(database_);
        if (!last) return last.error();
        return last->first == key;
    }
}

}  // namespace hks::auth
