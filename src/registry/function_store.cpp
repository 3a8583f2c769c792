// SPDX-License-Identifier: Apache-2.0
#include "function_store.hpp"

#include "row_text.hpp"

#include <hks/storage/crc32c.hpp>

namespace hks::registry {

using storage::RowSum;
using storage::Statement;

namespace {

constexpr const char* function_columns =
    "SELECT id, workspace, name, status, active_version, last_version, switch_floor, labels, spec, "
    "created_at,"
    " updated_at, revision, crc FROM functions ";

/// The texts of a row as they are stored: the checksum covers these, not what they mean.
struct FunctionTexts {
    std::string labels, spec;
};

int64_t sum_of(const FunctionRow& row, const FunctionTexts& texts) {
    const auto& r = row.record;
    RowSum sum;
    sum.add(r.id).add(r.workspace).add(r.name).add(r.status);
    sum.add(r.active_version).add(row.last_version).add(row.switch_floor);
    sum.add(texts.labels).add(texts.spec);
    sum.add(to_micros(r.created_at)).add(to_micros(r.updated_at)).add(r.revision);
    return sum.value();
}

Result<FunctionRow> read_function(const Statement& s, const std::string& path) {
    FunctionRow row;
    auto& r = row.record;
    r.id = s.text(0);
    r.workspace = s.text(1);
    r.name = s.text(2);
    r.status = s.text(3);
    r.active_version = static_cast<int>(s.integer(4));
    row.last_version = static_cast<int>(s.integer(5));
    row.switch_floor = static_cast<int>(s.integer(6));
    FunctionTexts texts{s.text(7), s.text(8)};
    r.created_at = from_micros(s.integer(9));
    r.updated_at = from_micros(s.integer(10));
    r.revision = s.integer(11);
    if (sum_of(row, texts) != s.integer(12)) return storage::damaged_row("functions", r.id, path);
    auto labels = labels_from_text(texts.labels);
    if (!labels) return labels.error();
    auto spec = spec_from_text(texts.spec);
    if (!spec) return spec.error();
    r.labels = std::move(*labels);
    r.spec = std::move(*spec);
    return row;
}

Result<std::vector<std::string>> texts_of(Statement& statement) {
    std::vector<std::string> out;
    for (;;) {
        auto row = statement.step();
        if (!row) return row.error();
        if (!*row) return out;
        out.push_back(statement.text(0));
    }
}

}  // namespace

Result<int64_t> FunctionStore::revision() const {
    auto s = database_.prepare("SELECT revision FROM registry_revision WHERE id = 1");
    if (!s) return s.error();
    auto row = s->step();
    if (!row) return row.error();
    return s->integer(0);
}

Result<int64_t> FunctionStore::next_revision() {
    if (auto r = database_.execute("UPDATE registry_revision SET revision = revision + 1 WHERE id = 1"); !r)
        return r.error();
    return revision();
}

Result<std::string> FunctionStore::id_of(const std::string& workspace, const std::string& name_or_id) const {
    // '_' is no character of a name, so an id is never a name.
    bool by_id = name_or_id.starts_with("fn_");
    auto s = database_.prepare(by_id ? "SELECT id FROM functions WHERE workspace = ? AND id = ?"
                                     : "SELECT id FROM functions WHERE workspace = ? AND name = ?");
    if (!s) return s.error();
    auto row = s->bind(workspace).bind(name_or_id).step();
    if (!row) return row.error();
    if (*row) return s->text(0);
    return Error(Errc::function_not_found, "There is no function '" + name_or_id + "' in workspace '" +
                                               workspace + "'. See the list of functions for its spelling.");
}

Result<FunctionRow> FunctionStore::function(const std::string& id) const {
    auto s = database_.prepare(std::string(function_columns) + "WHERE id = ?");
    if (!s) return s.error();
    auto row = s->bind(id).step();
    if (!row) return row.error();
    if (!*row)
        return Error(Errc::function_not_found,
                     "There is no function '" + id + "' any more. It has been deleted.");
    return read_function(*s, database_.path());
}

Result<std::vector<std::string>> FunctionStore::ids(const std::string& workspace, const std::string& after,
                                                    size_t limit) const {
    auto s =
        database_.prepare("SELECT id FROM functions WHERE workspace = ? AND name > ? ORDER BY name LIMIT ?");
    if (!s) return s.error();
    s->bind(workspace).bind(after).bind(static_cast<int64_t>(limit));
    return texts_of(*s);
}

Result<std::vector<std::string>> FunctionStore::all_ids() const {
    auto s = database_.prepare("SELECT id FROM functions");
    if (!s) return s.error();
    return texts_of(*s);
}

Result<void> FunctionStore::insert(const FunctionRow& row) {
    auto s = database_.prepare(
        "INSERT INTO functions(id, workspace, name, status, active_version, last_version, switch_floor, "
        "labels, spec,"
        " created_at, updated_at, revision, crc) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)");
    if (!s) return s.error();
    const auto& r = row.record;
    FunctionTexts texts{labels_to_text(r.labels), spec_to_text(r.spec)};
    s->bind(r.id).bind(r.workspace).bind(r.name).bind(r.status);
    s->bind(r.active_version)
        .bind(row.last_version)
        .bind(row.switch_floor)
        .bind(texts.labels)
        .bind(texts.spec);
    s->bind(to_micros(r.created_at)).bind(to_micros(r.updated_at)).bind(r.revision).bind(sum_of(row, texts));
    return s->run();
}

Result<void> FunctionStore::update(const FunctionRow& row) {
    auto s = database_.prepare(
        "UPDATE functions SET status = ?, active_version = ?, last_version = ?, switch_floor = ?, labels = "
        "?, spec = ?,"
        " updated_at = ?, revision = ?, crc = ? WHERE id = ?");
    if (!s) return s.error();
    const auto& r = row.record;
    FunctionTexts texts{labels_to_text(r.labels), spec_to_text(r.spec)};
    s->bind(r.status).bind(r.active_version).bind(row.last_version).bind(row.switch_floor);
    s->bind(texts.labels).bind(texts.spec).bind(to_micros(r.updated_at)).bind(r.revision);
    s->bind(sum_of(row, texts)).bind(r.id);
    return s->run();
}

Result<void> FunctionStore::remove(const std::string& id) {
    auto s = database_.prepare("DELETE FROM functions WHERE id = ?");
    if (!s) return s.error();
    return s->bind(id).run();
}

Result<bool> FunctionStore::has_workspace(const std::string& name) const {
    auto s = database_.prepare("SELECT 1 FROM workspaces WHERE name = ?");
    if (!s) return s.error();
    return s->bind(name).step();
}

Result<std::vector<TriggerEntry>> FunctionStore::triggers(const std::string& function_id) const {
    auto s = database_.prepare(
        "SELECT id, position, name, spec, crc FROM triggers WHERE function_id = ? ORDER BY position, id");
    if (!s) return s.error();
    s->bind(function_id);
    std::vector<TriggerEntry> out;
    for (;;) {
        auto row = s->step();
        if (!row) return row.error();
        if (!*row) return out;
        TriggerEntry entry;
        entry.id = s->text(0);
        std::string name = s->text(2), text = s->text(3);
        RowSum sum;
        sum.add(entry.id).add(function_id).add(s->integer(1)).add(name).add(text);
        if (sum.value() != s->integer(4)) return storage::damaged_row("triggers", entry.id, database_.path());
        auto spec = trigger_from_text(text);
        if (!spec) return spec.error();
        entry.spec = std::move(*spec);
        entry.spec.name = name;
        out.push_back(std::move(entry));
    }
}

Result<void> FunctionStore::replace_triggers(const std::string& function_id,
                                             const std::vector<TriggerEntry>& triggers) {
    auto gone = database_.prepare("DELETE FROM triggers WHERE function_id = ?");
    if (!gone) return gone.error();
    if (auto r = gone->bind(function_id).run(); !r) return r;
    auto s = database_.prepare(
        "INSERT INTO triggers(id, function_id, position, name, spec, crc) VALUES(?,?,?,?,?,?)");
    if (!s) return s.error();
    int64_t position = 0;
    for (const auto& entry : triggers) {
        std::string text = trigger_to_text(entry.spec);
        RowSum sum;
        sum.add(entry.id).add(function_id).add(position).add(entry.spec.name).add(text);
        s->reset();
        s->bind(entry.id).bind(function_id).bind(position).bind(entry.spec.name).bind(text).bind(sum.value());
        if (auto r = s->run(); !r) return r;
        ++position;
    }
    return {};
}

}  // namespace hks::registry
