// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who are you, may you, and what was done. Tokens are "hks_" + 43 characters base64url of 32 random bytes;
// only their SHA-256 is kept (registry.db). authenticate() reads an in-memory table and may be called on the
// loop; everything that writes blocks. Revocation works at once.

#include <hks/core/clock.hpp>
#include <hks/core/error.hpp>
#include <hks/storage/database.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hks::auth {

enum class Role { none, viewer, developer, admin };  ///< none: only its scopes
std::string_view role_name(Role role);
std::optional<Role> role_from_name(std::string_view name);

/// Whoever holds a token.
struct Principal {
    std::string token_id;
    std::string name;
    Role role = Role::none;
    std::string workspace;            ///< "" = all
    std::vector<std::string> scopes;  ///< "invoke"
};

enum class Action { read, write, invoke, manage_tokens, manage_workspaces, read_server };
/// viewer: read; developer: read, write, invoke; admin: everything; scope invoke: invoke. False for another
/// workspace.
bool allowed(const Principal& principal, Action action, std::string_view workspace);

struct TokenRecord {
    std::string id, name, workspace;
    Role role = Role::viewer;
    std::vector<std::string> scopes;
    WallTime created_at{};
    std::optional<WallTime> expires_at;
    std::optional<WallTime> last_used_at;
};

/// The admin token that a start has made.
struct KeptToken {
    std::string text;
    bool replaces = false;  ///< one before it, which is revoked now
};

class ApiKeyStore {
  public:
    ApiKeyStore(storage::Database& database, const Clock& clock);
    ~ApiKeyStore();

    Result<void> open();  ///< migrations, loads the table; blocking
    /// A start's own admin token, whose text its caller keeps. Made when no admin token is valid; made anew,
    /// and the one before revoked, when that is still valid but its text was lost: `kept` ("" = nothing) is no
    /// admin token. Nothing when all is well.
    Result<std::optional<KeptToken>> ensure_admin(std::string_view kept);
    /// → (record, token text). The text is never shown again.
    Result<std::pair<TokenRecord, std::string>> create(const std::string& name, Role role,
                                                       const std::vector<std::string>& scopes,
                                                       const std::string& workspace,
                                                       std::optional<milliseconds> lifetime);
    std::vector<TokenRecord> list() const;
    Result<void> revoke(const std::string& id_or_name, const std::string& workspace);

    /// The value of an Authorization header → who it is. AUTH_REQUIRED when empty, AUTH_INVALID_TOKEN
    /// otherwise. Constant-time in the token's text. Loop or any thread; takes a short lock.
    Result<Principal> authenticate(std::string_view authorization) const;
    /// Whether a token that was authenticated before still counts. Loop or any thread; takes a short lock.
    bool is_valid(std::string_view token_id) const;
    void flush_last_used();                                        ///< blocking; called now and then

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

struct AuditRecord {
    int64_t key = 0;
    WallTime time{};
    std::string who;   ///< token name, "-" when unknown
    std::string from;  ///< address
    std::string workspace;
    std::string action;  ///< "function.create", "token.revoke", …
    std::string target;
    int status = 0;    ///< HTTP status of the answer
    std::string code;  ///< error code, "" when it succeeded
};

/// Append-only, hash-chained: each row's digest covers the row and the digest before it. Blocking.
class AuditLog {
  public:
    AuditLog(storage::Database& database, const Clock& clock);
    Result<void> open();
    Result<void> append(const AuditRecord& record);
    /// Newest first; target "" = all.
    Result<std::vector<AuditRecord>> list(const std::string& workspace, const std::string& target,
                                          size_t limit, int64_t before_key = 0) const;
    Result<bool> verify() const;  ///< true when the chain is whole

  private:
    storage::Database& database_;
    const Clock& clock_;
};

}  // namespace hks::auth
