// SPDX-License-Identifier: Apache-2.0
#include "function_store.hpp"
#include "row_text.hpp"

#include <hks/storage/crc32c.hpp>

namespace hks::registry {

using storage::RowSum;
using storage::Statement;

namespace {

constexpr const char* version_columns =
    "SELECT key, function_id, number, status, digest, spec, runtime, error, activate, created_at, "
    "finished_at, crc"
    " FROM versions ";

int64_t finished(const VersionRecord& record) {
    return record.finished_at ? to_micros(*record.finished_at) : -1;
}

int64_t sum_of(const VersionRecord& r, const std::string& spec) {
    RowSum sum;
    sum.add(r.function_id).add(r.number).add(r.status).add(r.digest).add(spec).add(r.runtime).add(r.error);
    sum.add(r.activate ? 1 : 0).add(to_micros(r.created_at)).add(finished(r));
    return sum.value();
}

Result<VersionRecord> read_version(const Statement& s, const std::string& path) {
    VersionRecord r;
    r.key = s.integer(0);
    r.function_id = s.text(1);
    r.number = static_cast<int>(s.integer(2));
    r.status = s.text(3);
    r.digest = s.text(4);
    std::string text = s.text(5);
    r.runtime = s.text(6);
    r.error = s.text(7);
    r.activate = s.integer(8) != 0;
    r.created_at = from_micros(s.integer(9));
    if (!s.is_null(10)) r.finished_at = from_micros(s.integer(10));
    if (sum_of(r, text) != s.integer(11))
        return storage::damaged_row("versions", std::to_string(r.key), path);
    auto spec = spec_from_text(text);
    if (!spec) return spec.error();
    r.spec = std::move(*spec);
    return r;
}

}  // namespace

Result<VersionRecord> FunctionStore::version(const std::string& function_id, int number) const {
    auto s = database_.prepare(std::string(version_columns) + "WHERE function_id = ? AND number = ?");
    if (!s) return s.error();
    auto row = s->bind(function_id).bind(number).step();
    if (!row) return row.error();
    if (*row) return read_version(*s, database_.path());
    return Error(Errc::version_not_found, "There is no version " + std::to_string(number) +
                                              " of this function. See the list of its versions.");
}

Result<VersionRecord> FunctionStore::version(int64_t key) const {
    auto s = database_.prepare(std::string(version_columns) + "WHERE key = ?");
    if (!s) return s.error();
    auto row = s->bind(key).step();
    if (!row) return row.error();
    if (*row) return read_version(*s, database_.path());
    return Error(Errc::version_not_found, "The version is gone: its function has been deleted.");
}

Result<std::vector<VersionRecord>> FunctionStore::versions(const std::string& function_id, int below,
                                                           size_t limit, std::string_view status) const {
    auto s = database_.prepare(std::string(version_columns) +
                               "WHERE function_id = ? AND number < ? AND (? = '' OR status = ?)"
                               " ORDER BY number DESC LIMIT ?");
    if (!s) return s.error();
    s->bind(function_id).bind(below).bind(status).bind(status).bind(static_cast<int64_t>(limit));
    std::vector<VersionRecord> out;
    for (;;) {
        auto row = s->step();
        if (!row) return row.error();
        if (!*row) return out;
        auto record = read_version(*s, database_.path());
        if (!record) return record.error();
        out.push_back(std::move(*record));
    }
}

Result<std::vector<int64_t>> FunctionStore::building() const {
    auto s = database_.prepare("SELECT key FROM versions WHERE status IN ('pending', 'building')");
    if (!s) return s.error();
    std::vector<int64_t> keys;
    for (;;) {
        auto row = s->step();
        if (!row) return row.error();
        if (!*row) return keys;
        keys.push_back(s->integer(0));
    }
}

Result<int> FunctionStore::count(const std::string& function_id, std::string_view status) const {
    auto s = database_.prepare("SELECT count(*) FROM versions WHERE function_id = ? AND status = ?");
    if (!s) return s.error();
    auto row = s->bind(function_id).bind(status).step();
    if (!row) return row.error();
    return static_cast<int>(s->integer(0));
}

Result<void> FunctionStore::insert(VersionRecord& r) {
    auto s = database_.prepare(
        "INSERT INTO versions(function_id, number, status, digest, spec, runtime, error, activate, "
        "created_at,"
        " finished_at, crc) VALUES(?,?,?,?,?,?,?,?,?,NULL,?)");
    if (!s) return s.error();
    std::string text = spec_to_text(r.spec);
    s->bind(r.function_id)
        .bind(r.number)
        .bind(r.status)
        .bind(r.digest)
        .bind(text)
        .bind(r.runtime)
        .bind(r.error);
    s->bind(r.activate ? 1 : 0).bind(to_micros(r.created_at)).bind(sum_of(r, text));
    if (auto done = s->run(); !done) return done;
    r.key = database_.last_insert_id();
    return {};
}

Result<void> FunctionStore::update(const VersionRecord& r) {
    auto s = database_.prepare(
        "UPDATE versions SET status = ?, digest = ?, spec = ?, runtime = ?, error = ?, finished_at = ?, crc "
        "= ?"
        " WHERE key = ?");
    if (!s) return s.error();
    std::string text = spec_to_text(r.spec);
    s->bind(r.status).bind(r.digest).bind(text).bind(r.runtime).bind(r.error);
    if (r.finished_at)
        s->bind(finished(r));
    else
        s->bind_null();
    return s->bind(sum_of(r, text)).bind(r.key).run();
}

Result<std::set<std::string>> FunctionStore::digests() const {
    // Whole rows, checked: a flipped bit in a digest must not make a living bundle look unused.
    auto s = database_.prepare(std::string(version_columns) + "WHERE digest <> ''");
    if (!s) return s.error();
    std::set<std::string> out;
    for (;;) {
        auto row = s->step();
        if (!row) return row.error();
        if (!*row) return out;
        auto record = read_version(*s, database_.path());
        if (!record) return record.error();
        out.insert(std::move(record->digest));
    }
}

}  // namespace hks::registry
