// SPDX-License-Identifier: Apache-2.0
#include "digest.hpp"
#include "schema.hpp"

#include <hks/auth/auth.hpp>
#include <hks/auth/platform_token.hpp>
#include <hks/core/base64.hpp>
#include <hks/core/ids.hpp>
#include <hks/storage/crc32c.hpp>

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <tuple>
#include <unordered_map>

namespace hks::auth {

namespace {

int64_t to_micros(WallTime time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}
WallTime from_micros(int64_t micros) {
    return WallTime(std::chrono::microseconds(micros));
}

std::string make_token() {
    std::array<char, 32> bytes;
    random_bytes(bytes.data(), bytes.size());
    std::string text = base64_encode({bytes.data(), bytes.size()});
    OPENSSL_cleanse(bytes.data(), bytes.size());
    text.resize(text.find('='));
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    return std::string(token_prefix) + text;
}

/// "Bearer TOKEN" → TOKEN, "" for anything else.
std::string_view bearer(std::string_view authorization) {
    constexpr std::string_view scheme = "bearer ";
    if (authorization.size() <= scheme.size()) return {};
    for (size_t i = 0; i < scheme.size(); ++i) {
        char c = authorization[i];
        if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != scheme[i]) return {};
    }
    std::string_view token = authorization.substr(scheme.size());
    while (token.starts_with(' ')) token.remove_prefix(1);
    while (token.ends_with(' ')) token.remove_suffix(1);
    return token;
}

std::string join(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> words;
    for (size_t at = 0; at < text.size();) {
        size_t end = std::min(text.find(' ', at), text.size());
        if (end > at) words.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

struct DigestHash {
    size_t operator()(const Digest& digest) const {
        size_t value;
        std::memcpy(&value, digest.data(), sizeof value);
        return value;
    }
};

struct Entry {
    TokenRecord record;
    bool used_since_flush = false;
    bool damaged = false;  ///< may nothing; listed, so that it can be revoked
};

int64_t sum_of(const TokenRecord& r, const Digest& digest) {
    storage::RowSum sum;
    sum.add(r.id).add(r.name).add(r.workspace).add(role_name(r.role)).add(join(r.scopes)).add(view(digest));
    sum.add(to_micros(r.created_at)).add(r.expires_at ? to_micros(*r.expires_at) : -1);
    return sum.value();
}

}  // namespace

struct ApiKeyStore::Impl {
    Impl(storage::Database& db, const Clock& c) : database(db), clock(c) {}

    storage::Database& database;
    const Clock& clock;
    std::mutex writing;        ///< one create or revoke at a time; taken first
    mutable std::mutex mutex;  ///< the table; never held over the database
    std::unordered_map<Digest, Entry, DigestHash> tokens;

    Result<void> load();
    Result<void> insert(const TokenRecord& record, const Digest& digest);
    /// Stamps and stores a token, instead of the one with the id `instead` ("" = beside all others).
    Result<TokenRecord> add(Entry entry, const std::string& text, const std::string& instead, bool kept,
                            std::optional<milliseconds> lifetime = std::nullopt);
    Result<void> write(const Entry& entry, const Digest& digest, const std::string& instead, bool kept);
    Result<std::string> kept_token();  ///< its id; "" = none was ever made
    bool has_name(const std::string& workspace, const std::string& name) const;
    std::string free_name(const std::string& wanted) const;
    bool is_admin(const Digest& digest, WallTime now) const;
};

Result<void> ApiKeyStore::Impl::load() {
    std::lock_guard rows(database.mutex());
    auto s = database.prepare(
        "SELECT id, name, workspace, role, scopes, digest, created_at, expires_at, last_used_at, crc FROM "
        "tokens");
    if (!s) return s.error();
    std::lock_guard lock(mutex);
    tokens.clear();
    for (;;) {
        auto row = s->step();
        if (!row) return row.error();
        if (!*row) return {};
        Entry entry;
        auto& r = entry.record;
        r.id = s->text(0);
        r.name = s->text(1);
        r.workspace = s->text(2);
        r.role = role_from_name(s->text(3)).value_or(Role::none);
        r.scopes = split(s->text(4));
        std::string bytes = s->text(5);
        Digest digest{};
        std::memcpy(digest.data(), bytes.data(), std::min(bytes.size(), digest.size()));
        r.created_at = from_micros(s->integer(6));
        if (!s->is_null(7)) r.expires_at = from_micros(s->integer(7));
        if (!s->is_null(8)) r.last_used_at = from_micros(s->integer(8));
        // A damaged right must not become another right, and must not keep the server from starting either.
        if (sum_of(r, digest) != s->integer(9)) {
            entry.damaged = true;
            r.role = Role::none;
            r.scopes.clear();
        }
        tokens.emplace(digest, std::move(entry));
    }
}

Result<void> ApiKeyStore::Impl::insert(const TokenRecord& r, const Digest& digest) {
    auto s = database.prepare(
        "INSERT INTO tokens(id, name, workspace, role, scopes, digest, created_at, expires_at, crc)"
        " VALUES(?,?,?,?,?,?,?,?,?)");
    if (!s) return s.error();
    s->bind(r.id).bind(r.name).bind(r.workspace).bind(role_name(r.role)).bind(join(r.scopes));
    s->bind_blob(view(digest)).bind(to_micros(r.created_at));
    if (r.expires_at)
        s->bind(to_micros(*r.expires_at));
    else
        s->bind_null();
    return s->bind(sum_of(r, digest)).run();
}

bool ApiKeyStore::Impl::has_name(const std::string& workspace, const std::string& name) const {
    std::lock_guard lock(mutex);
    return std::any_of(tokens.begin(), tokens.end(), [&](const auto& item) {
        return item.second.record.workspace == workspace && item.second.record.name == name;
    });
}

std::string ApiKeyStore::Impl::free_name(const std::string& wanted) const {
    std::string name = wanted;
    for (int n = 2; has_name("", name); ++n) name = wanted + "-" + std::to_string(n);
    return name;
}

bool ApiKeyStore::Impl::is_admin(const Digest& digest, WallTime now) const {
    std::lock_guard lock(mutex);
    const auto found = tokens.find(digest);
    if (found == tokens.end()) return false;
    const auto& record = found->second.record;
    return record.role == Role::admin && record.workspace.empty() &&
           (!record.expires_at || *record.expires_at > now);
}

Result<std::string> ApiKeyStore::Impl::kept_token() {
    std::lock_guard rows(database.mutex());
    auto s = database.prepare("SELECT token FROM kept_token WHERE id = 1");
    if (!s) return s.error();
    auto row = s->step();
    if (!row) return row.error();
    return *row ? s->text(0) : std::string();
}

Result<void> ApiKeyStore::Impl::write(const Entry& entry, const Digest& digest, const std::string& instead,
                                      bool kept) {
    storage::Transaction transaction(database);
    if (auto r = transaction.begin(); !r) return r;
    if (!instead.empty()) {
        auto gone = database.prepare("DELETE FROM tokens WHERE id = ?");
        if (!gone) return gone.error();
        if (auto r = gone->bind(instead).run(); !r) return r;
    }
    if (auto r = insert(entry.record, digest); !r) return r;
    if (kept) {
        auto note = database.prepare("INSERT OR REPLACE INTO kept_token(id, token) VALUES(1, ?)");
        if (!note) return note.error();
        if (auto r = note->bind(entry.record.id).run(); !r) return r;
    }
    return transaction.commit();
}

Result<TokenRecord> ApiKeyStore::Impl::add(Entry entry, const std::string& text, const std::string& instead,
                                           bool kept, std::optional<milliseconds> lifetime) {
    auto& record = entry.record;
    record.id = make_id("tok_");
    record.created_at = from_micros(to_micros(clock.wall()));
    if (lifetime) record.expires_at = record.created_at + *lifetime;
    const Digest digest = sha256(text);
    if (auto r = write(entry, digest, instead, kept); !r) return r.error();
    TokenRecord shown = record;
    std::lock_guard lock(mutex);
    if (!instead.empty()) std::erase_if(tokens, [&](const auto& t) { return t.second.record.id == instead; });
    tokens.emplace(digest, std::move(entry));
    return shown;
}

ApiKeyStore::ApiKeyStore(storage::Database& database, const Clock& clock)
    : impl_(std::make_unique<Impl>(database, clock)) {}
ApiKeyStore::~ApiKeyStore() = default;

Result<void> ApiKeyStore::open() {
    auto done = storage::migrate(impl_->database, "tokens", token_schema.data(), token_schema.size());
    return done ? impl_->load() : done;
}

Result<std::optional<KeptToken>> ApiKeyStore::ensure_admin(std::string_view kept) {
    const WallTime now = impl_->clock.wall();
    auto before = impl_->kept_token();
    if (!before) return before.error();
    std::lock_guard writing(impl_->writing);
    bool any = false;
    std::optional<TokenRecord> lost;
    for (const auto& record : list()) {
        if (record.role != Role::admin || !record.workspace.empty()) continue;
        if (record.expires_at && *record.expires_at <= now) continue;
        any = true;
        if (record.id == *before) lost = record;
    }
    // Whoever revoked the first token and made another one has that.
    if (any && (!lost || impl_->is_admin(sha256(kept), now))) return std::optional<KeptToken>{};

    Entry entry;
    entry.record.name = lost ? lost->name : impl_->free_name("admin");
    entry.record.role = Role::admin;
    std::string text = make_token();
    if (auto r = impl_->add(std::move(entry), text, lost ? lost->id : "", true); !r) return r.error();
    return std::optional(KeptToken{std::move(text), lost.has_value()});
}

Result<std::pair<TokenRecord, std::string>> ApiKeyStore::create(const std::string& name, Role role,
                                                                const std::vector<std::string>& scopes,
                                                                const std::string& workspace,
                                                                std::optional<milliseconds> lifetime) {
    auto wrong = [](std::string field, std::string message) {
        Error error(Errc::validation_error, std::move(message));
        error.fields.push_back({std::move(field), error.message, 0});
        return error;
    };
    if (!is_valid_name(name))
        return wrong("name", "'" + name + "' is not a token's name. Use 1 to 63 of a-z, 0-9 and '-'.");
    for (const auto& scope : scopes)
        if (scope != "invoke") return wrong("scopes", "There is no scope '" + scope + "'. Use 'invoke'.");
    if (role == Role::none && scopes.empty())
        return wrong("role",
                     "A token without role and scopes may do nothing. Give it a role or the scope 'invoke'.");
    if (lifetime && lifetime->count() <= 0)
        return wrong("expires_in", "A token cannot expire before it is made. Use a duration such as 24h.");

    std::lock_guard writing(impl_->writing);
    if (impl_->has_name(workspace, name))
        return Error(Errc::already_exists,
                     "There is a token '" + name + "' already. Revoke it or choose another name.");
    Entry entry;
    entry.record.name = name;
    entry.record.workspace = workspace;
    entry.record.role = role;
    entry.record.scopes = scopes;
    std::string text = make_token();
    auto made = impl_->add(std::move(entry), text, "", false, lifetime);
    if (!made) return made.error();
    return std::pair{std::move(*made), std::move(text)};
}

std::vector<TokenRecord> ApiKeyStore::list() const {
    std::vector<TokenRecord> out;
    {
        std::lock_guard lock(impl_->mutex);
        for (const auto& [digest, entry] : impl_->tokens) out.push_back(entry.record);
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
        return std::tie(a.workspace, a.name, a.id) < std::tie(b.workspace, b.name, b.id);
    });
    return out;
}

Result<void> ApiKeyStore::revoke(const std::string& id_or_name, const std::string& workspace) {
    std::lock_guard writing(impl_->writing);
    std::optional<Digest> found;
    std::string id;
    {
        std::lock_guard lock(impl_->mutex);
        for (const auto& [digest, entry] : impl_->tokens) {
            const auto& r = entry.record;
            if (r.workspace != workspace || (r.id != id_or_name && r.name != id_or_name)) continue;
            found = digest;
            id = r.id;
        }
    }
    if (!found)
        return Error(Errc::token_not_found,
                     "There is no token '" + id_or_name + "'. See the list of tokens.");
    auto s = impl_->database.prepare("DELETE FROM tokens WHERE id = ?");
    if (!s) return s.error();
    if (auto r = s->bind(id).run(); !r) return r;
    std::lock_guard lock(impl_->mutex);
    impl_->tokens.erase(*found);
    return {};
}

Result<Principal> ApiKeyStore::authenticate(std::string_view authorization) const {
    if (authorization.empty())
        return Error(
            Errc::auth_required,
            "This needs a token. Send it as 'Authorization: Bearer TOKEN'; hks takes it from --api-key, "
            "HKS_API_KEY or 'hks config set api-key'.");
    std::string_view token = bearer(authorization);
    Error unknown(Errc::auth_invalid_token, "The token is not valid here. Check it, or ask for a new one.");
    if (token.size() != token_size || !token.starts_with(token_prefix)) return unknown;
    Digest digest = sha256(token);
    WallTime now = impl_->clock.wall();
    std::lock_guard lock(impl_->mutex);
    auto found = impl_->tokens.find(digest);
    if (found == impl_->tokens.end() || CRYPTO_memcmp(found->first.data(), digest.data(), digest.size()) != 0)
        return unknown;
    auto& record = found->second.record;
    if (found->second.damaged)
        return Error(Errc::auth_invalid_token,
                     "Token '" + record.name +
                         "' is damaged in the server's database. Have it revoked and ask "
                         "for a new one.");
    if (record.expires_at && *record.expires_at <= now)
        return Error(Errc::auth_invalid_token, "Token '" + record.name + "' expired at " +
                                                   to_rfc3339(*record.expires_at) + ". Ask for a new one.");
    record.last_used_at = now;
    found->second.used_since_flush = true;
    return Principal{record.id, record.name, record.role, record.workspace, record.scopes};
}

bool ApiKeyStore::is_valid(std::string_view token_id) const {
    const WallTime now = impl_->clock.wall();
    std::lock_guard lock(impl_->mutex);
    return std::any_of(impl_->tokens.begin(), impl_->tokens.end(), [&](const auto& token) {
        const TokenRecord& record = token.second.record;
        return record.id == token_id && (!record.expires_at || *record.expires_at > now);
    });
}

void ApiKeyStore::flush_last_used() {
    std::vector<std::pair<std::string, int64_t>> used;
    {
        std::lock_guard lock(impl_->mutex);
        for (auto& [digest, entry] : impl_->tokens)
            if (std::exchange(entry.used_since_flush, false))
                used.emplace_back(entry.record.id, to_micros(*entry.record.last_used_at));
    }
    if (used.empty()) return;
    // Best effort: a lost time of use harms nobody.
    storage::Transaction transaction(impl_->database);
    if (!transaction.begin()) return;
    auto s = impl_->database.prepare("UPDATE tokens SET last_used_at = ? WHERE id = ?");
    if (!s) return;
    for (const auto& [id, time] : used) {
        s->reset();
        if (!s->bind(time).bind(id).run()) return;
    }
    (void)transaction.commit();
}

}  // namespace hks::auth
