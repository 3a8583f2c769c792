// SPDX-License-Identifier: Apache-2.0
#include "schema.hpp"
#include "sealed.hpp"

#include <hks/core/ids.hpp>
#include <hks/secrets/secret_store.hpp>
#include <hks/storage/crc32c.hpp>

#include <algorithm>
#include <mutex>
#include <optional>

namespace hks::secrets {

namespace {

constexpr std::string_view keyring_context = "hks-keyring|1";
constexpr size_t max_value = 64 * 1024;
constexpr size_t max_total = 1024 * 1024;
constexpr size_t max_key_name = 253;

using Id = std::pair<std::string, std::string>;  // workspace, name

struct Entry {
    SecretRecord record;
    int64_t version = 0;
    std::map<std::string, std::string> sealed;  // key → sealed value
    std::optional<Error> damaged;
};

int64_t to_micros(WallTime time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

/// No part can hold a '|', so no two places have the same text.
std::string context_of(const Entry& entry, const std::string& key) {
    return entry.record.workspace + "|" + entry.record.name + "|" + std::to_string(entry.version) + "|" + key;
}

int64_t sum_of(const Entry& entry) {
    storage::RowSum sum;
    sum.add(entry.version)
        .add(entry.record.workspace)
        .add(entry.record.name)
        .add(to_micros(entry.record.created_at));
    return sum.value();
}

int64_t sum_of(int64_t version, const std::string& key, const std::string& sealed) {
    return storage::RowSum().add(version).add(key).add(sealed).value();
}

bool is_key_name(const std::string& key) {
    auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.';
    };
    return !key.empty() && key.size() <= max_key_name && std::all_of(key.begin(), key.end(), fits);
}

Result<void> check(const std::string& name, const std::map<std::string, std::string>& data) {
    Error error(Errc::validation_error, "");
    auto wrong = [&error](std::string field, std::string message) {
        error.fields.push_back({std::move(field), std::move(message), 0});
    };
    if (!is_valid_name(name))
        wrong("name", "use 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends");
    if (data.empty()) wrong("data", "a secret has at least one key");
    size_t total = 0;
    for (const auto& [key, value] : data) {
        total += value.size();
        if (!is_key_name(key))
            wrong("data", "a key has 1 to 253 of a-z, A-Z, 0-9, '-', '_' and '.'");
        else if (value.size() > max_value)
            wrong("data." + key, "the value is longer than 64 KiB");
        else if (value.find('\0') != value.npos)
            wrong("data." + key,
                  "the value has a zero byte, which no environment variable can hold; encode it");
    }
    if (total > max_total) wrong("data", "the values together are longer than 1 MiB");
    if (error.fields.empty()) return {};
    error.message = "The secret cannot be kept: " + error.fields.front().field + ": " +
                    error.fields.front().message + ".";
    return error;
}

Result<void> check_revision(const SecretRecord* record, const std::string& name,
                            const std::string& expected) {
    const bool fits = record && (expected == "*" || expected == std::to_string(record->revision));
    if (expected.empty() || fits) return {};
    return Error(Errc::precondition_failed, "Secret '" + name +
                                                "' has changed since it was read. Read it again and repeat "
                                                "the change.");
}

Error no_secret(const std::string& workspace, const std::string& name) {
    return Error(Errc::secret_not_found, "There is no secret '" + name + "' in workspace '" + workspace +
                                             "'. Create it, or name another one.");
}

}  // namespace

struct SecretStore::Impl {
    Impl(storage::Database& db, const Clock& c) : database(db), clock(c) {}

    storage::Database& database;
    const Clock& clock;
    std::mutex writing;        ///< one put or remove at a time; taken first
    mutable std::mutex mutex;  ///< the table below; never held over the database
    std::map<Id, std::shared_ptr<const Entry>> secrets;
    Clear data_key;  ///< empty: no master key, no secrets

    Result<void> make_tables() {
        return storage::migrate(database, "secrets", schema.data(), schema.size());
    }
    Result<void> open_keyring(const std::string& master_key);
    Result<std::optional<std::string>> wrapped_key();
    Result<void> make_keyring(const std::string& master_key);
    Result<bool> any_secret();
    Result<void> load();
    Result<void> load_values(Entry& entry);
    Result<void> write(Entry& entry, const std::map<std::string, std::string>& data, int64_t old_version);
    std::shared_ptr<const Entry> find(const std::string& workspace, const std::string& name) const;
};

Result<std::optional<std::string>> SecretStore::Impl::wrapped_key() {
    auto s = database.prepare("SELECT wrapped FROM keyring WHERE id = 1");
    if (!s) return s.error();
    auto row = s->step();
    if (!row) return row.error();
    return *row ? std::optional(s->text(0)) : std::nullopt;
}

Result<bool> SecretStore::Impl::any_secret() {
    auto s = database.prepare("SELECT 1 FROM secrets LIMIT 1");
    if (!s) return s.error();
    return s->step();
}

Result<void> SecretStore::Impl::make_keyring(const std::string& master_key) {
    Clear fresh;
    fresh.bytes().resize(key_size);
    random_bytes(fresh.bytes().data(), key_size);
    auto wrapped = seal(master_key, fresh.view(), keyring_context);
    if (!wrapped) return wrapped.error();
    auto s = database.prepare("INSERT OR REPLACE INTO keyring(id, wrapped) VALUES(1, ?)");
    if (!s) return s.error();
    if (auto r = s->bind_blob(*wrapped).run(); !r) return r;
    data_key = std::move(fresh);
    return {};
}

Result<void> SecretStore::Impl::open_keyring(const std::string& master_key) {
    storage::Transaction transaction(database);
    if (auto r = transaction.begin(); !r) return r;
    auto used = any_secret();
    if (!used) return used.error();
    if (master_key.empty() && !*used) return {};
    if (master_key.empty())
        return Error(Errc::provider_error,
                     "There are secrets in " + database.path() +
                         ", but no master key was given. Give the key that they were made with.");
    if (master_key.size() != key_size)
        return Error(Errc::validation_error, "The master key must have 32 bytes, written as 64 hex digits.");
    auto wrapped = wrapped_key();
    if (!wrapped) return wrapped.error();
    if (*wrapped) {
        auto opened = unseal(master_key, **wrapped, keyring_context);
        if (opened) {
            data_key = std::move(*opened);
            return transaction.commit();
        }
        if (*used)
            return Error(
                Errc::provider_error,
                "The master key does not fit the secrets in this data directory (" + database.path() +
                    "). Start with the key that they were made with; if it is lost for good, the secrets "
                    "are lost with it: start once with a new data directory and create them again.");
    }
    // Nothing was sealed yet, so a new key harms nobody.
    if (auto r = make_keyring(master_key); !r) return r;
    return transaction.commit();
}

Result<void> SecretStore::Impl::load_values(Entry& entry) {
    auto s = database.prepare("SELECT key, sealed, crc FROM secret_values WHERE version = ? ORDER BY key");
    if (!s) return s.error();
    s->bind(entry.version);
    for (;;) {
        auto row = s->step();
        if (!row) return row.error();
        if (!*row) return {};
        std::string key = s->text(0), sealed = s->text(1);
        if (sum_of(entry.version, key, sealed) != s->integer(2))
            entry.damaged = storage::damaged_row("secret_values",
                                                 entry.record.workspace + "/" + entry.record.name + "/" + key,
                                                 database.path());
        entry.record.keys.push_back(key);
        entry.sealed.emplace(std::move(key), std::move(sealed));
    }
}

Result<void> SecretStore::Impl::load() {
    std::lock_guard rows(database.mutex());
    auto s = database.prepare("SELECT version, workspace, name, created_at, crc FROM secrets");
    if (!s) return s.error();
    std::map<Id, std::shared_ptr<const Entry>> found;
    for (;;) {
        auto row = s->step();
        if (!row) return row.error();
        if (!*row) break;
        auto entry = std::make_shared<Entry>();
        entry->version = entry->record.revision = s->integer(0);
        entry->record.workspace = s->text(1);
        entry->record.name = s->text(2);
        entry->record.created_at = WallTime(std::chrono::microseconds(s->integer(3)));
        // A damaged secret is one that cannot be used, not a server that does not start.
        if (sum_of(*entry) != s->integer(4))
            entry->damaged = storage::damaged_row(
                "secrets", entry->record.workspace + "/" + entry->record.name, database.path());
        if (auto r = load_values(*entry); !r) return r;
        Id id{entry->record.workspace, entry->record.name};
        found.emplace(std::move(id), std::move(entry));
    }
    std::lock_guard lock(mutex);
    secrets = std::move(found);
    return {};
}

Result<void> SecretStore::Impl::write(Entry& entry, const std::map<std::string, std::string>& data,
                                      int64_t old_version) {
    storage::Transaction transaction(database);
    if (auto r = transaction.begin(); !r) return r;
    auto gone = database.prepare("DELETE FROM secrets WHERE version = ?");
    if (!gone) return gone.error();
    if (auto r = gone->bind(old_version).run(); !r) return r;
    auto next =
        database.prepare("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'secrets'), 0) + 1");
    if (!next) return next.error();
    if (auto row = next->step(); !row) return row.error();
    entry.version = entry.record.revision = next->integer(0);
    auto s =
        database.prepare("INSERT INTO secrets(version, workspace, name, created_at, crc) VALUES(?,?,?,?,?)");
    if (!s) return s.error();
    s->bind(entry.version).bind(entry.record.workspace).bind(entry.record.name);
    if (auto r = s->bind(to_micros(entry.record.created_at)).bind(sum_of(entry)).run(); !r) return r;
    auto value = database.prepare("INSERT INTO secret_values(version, key, sealed, crc) VALUES(?,?,?,?)");
    if (!value) return value.error();
    for (const auto& [key, clear] : data) {
        auto sealed = seal(data_key.view(), clear, context_of(entry, key));
        if (!sealed) return sealed.error();
        value->reset();
        value->bind(entry.version).bind(key).bind_blob(*sealed).bind(sum_of(entry.version, key, *sealed));
        if (auto r = value->run(); !r) return r;
        entry.record.keys.push_back(key);
        entry.sealed.emplace(key, std::move(*sealed));
    }
    return transaction.commit();
}

std::shared_ptr<const Entry> SecretStore::Impl::find(const std::string& workspace,
                                                     const std::string& name) const {
    std::lock_guard lock(mutex);
    auto found = secrets.find({workspace, name});
    return found == secrets.end() ? nullptr : found->second;
}

SecretStore::SecretStore(storage::Database& database, const Clock& clock)
    : impl_(std::make_unique<Impl>(database, clock)) {}
SecretStore::~SecretStore() = default;

Result<void> SecretStore::open(const std::string& master_key) {
    if (auto r = impl_->make_tables(); !r) return r;
    if (auto r = impl_->open_keyring(master_key); !r) return r;
    return impl_->load();
}

Result<void> SecretStore::open_with_key_file(const std::string& path) {
    if (auto r = impl_->make_tables(); !r) return r;
    auto used = impl_->any_secret();
    if (!used) return used.error();
    // A key that was lost is an error to be told while something is sealed under it. Before that, a start
    // that was cut short must not stand in the way of the next one.
    auto loaded = load_or_create_master_key(path, !*used);
    if (!loaded) return loaded.error();
    auto opened = open(*loaded);
    OPENSSL_cleanse(loaded->data(), loaded->size());
    return opened;
}

Result<SecretRecord> SecretStore::put(const std::string& workspace, const std::string& name,
                                      const std::map<std::string, std::string>& data, bool replace,
                                      const std::string& expected_revision) {
    if (auto r = check(name, data); !r) return r.error();
    if (impl_->data_key.empty())
        return Error(Errc::provider_error,
                     "The server has no master key, so it cannot keep secrets. Give it one.");
    std::lock_guard writing(impl_->writing);
    auto old = impl_->find(workspace, name);
    if (old && !replace)
        return Error(Errc::already_exists,
                     "There is a secret '" + name + "' already. Delete it first, or choose another name.");
    if (auto same = check_revision(old ? &old->record : nullptr, name, expected_revision); !same)
        return same.error();
    auto entry = std::make_shared<Entry>();
    entry->record.workspace = workspace;
    entry->record.name = name;
    entry->record.created_at = std::chrono::time_point_cast<std::chrono::microseconds>(impl_->clock.wall());
    if (old && !old->damaged) entry->record.created_at = old->record.created_at;
    if (auto r = impl_->write(*entry, data, old ? old->version : 0); !r) return r.error();
    SecretRecord record = entry->record;
    std::lock_guard lock(impl_->mutex);
    impl_->secrets[{workspace, name}] = std::move(entry);
    return record;
}

Result<std::vector<SecretRecord>> SecretStore::list(const std::string& workspace) const {
    std::vector<SecretRecord> out;
    std::lock_guard lock(impl_->mutex);
    for (const auto& [id, entry] : impl_->secrets)
        if (id.first == workspace) out.push_back(entry->record);
    return out;
}

Result<SecretRecord> SecretStore::get(const std::string& workspace, const std::string& name) const {
    auto entry = impl_->find(workspace, name);
    if (!entry) return no_secret(workspace, name);
    return entry->record;
}

Result<void> SecretStore::remove(const std::string& workspace, const std::string& name,
                                 const std::string& expected_revision) {
    std::lock_guard writing(impl_->writing);
    auto entry = impl_->find(workspace, name);
    if (!entry) return no_secret(workspace, name);
    if (auto same = check_revision(&entry->record, name, expected_revision); !same) return same;
    auto s = impl_->database.prepare("DELETE FROM secrets WHERE version = ?");
    if (!s) return s.error();
    if (auto r = s->bind(entry->version).run(); !r) return r;
    std::lock_guard lock(impl_->mutex);
    impl_->secrets.erase({workspace, name});
    return {};
}

Result<std::vector<std::pair<std::string, std::string>>> SecretStore::resolve(
    const std::string& workspace, const std::vector<SecretRef>& refs) const {
    std::vector<std::pair<std::string, std::string>> out;
    out.reserve(refs.size());
    for (const auto& ref : refs) {
        auto entry = impl_->find(workspace, ref.secret_name);
        if (!entry) return no_secret(workspace, ref.secret_name);
        if (entry->damaged) return *entry->damaged;
        auto sealed = entry->sealed.find(ref.secret_key);
        if (sealed == entry->sealed.end())
            return Error(Errc::secret_not_found, "Secret '" + ref.secret_name + "' in workspace '" +
                                                     workspace + "' has no key '" + ref.secret_key +
                                                     "'. Add the key, or name another one.");
        auto clear = unseal(impl_->data_key.view(), sealed->second, context_of(*entry, ref.secret_key));
        if (!clear)
            return Error(Errc::provider_error,
                         "Secret '" + ref.secret_name + "', key '" + ref.secret_key +
                             "', does not open: its row was changed from outside. Create the "
                             "secret again.");
        out.emplace_back(ref.name, clear->view());
    }
    return out;
}

}  // namespace hks::secrets
