// SPDX-License-Identifier: Apache-2.0
#pragma once
// Secrets: AES-256-GCM at rest, fresh nonce a value, workspace|name|version|key as associated data; a data
// key wrapped by the master key. Write-only from outside. resolve() works on sealed values in memory and may
// be called on the loop; everything else blocks. Clear text is zeroed after use where we hold it.

#include <hks/core/clock.hpp>
#include <hks/core/error.hpp>
#include <hks/core/function.hpp>
#include <hks/storage/database.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hks::secrets {

struct SecretRecord {
    std::string name, workspace;
    std::vector<std::string> keys;
    WallTime created_at{};
    int64_t revision = 0;  ///< another one with every put
};

class SecretStore {
  public:
    SecretStore(storage::Database& database, const Clock& clock);
    ~SecretStore();

    /// Migrations and the keyring. `master_key`: 32 bytes. A wrong key, or none where secrets exist, is a
    /// clear error.
    Result<void> open(const std::string& master_key);
    /// The same with the key in the file at `path`, which is made when it is absent and no secret needs it.
    Result<void> open_with_key_file(const std::string& path);
    /// Reads {path} (mode 0600, 64 hex digits), or makes it when `allow_create` and it is absent.
    static Result<std::string> load_or_create_master_key(const std::string& path, bool allow_create);

    /// Creates or replaces. `expected_revision`: PRECONDITION_FAILED when there is no secret, or one with another
    /// ("*" = any); "" = do not check.
    Result<SecretRecord> put(const std::string& workspace, const std::string& name,
                             const std::map<std::string, std::string>& data, bool replace,
                             const std::string& expected_revision = "");
    Result<std::vector<SecretRecord>> list(const std::string& workspace) const;
    Result<SecretRecord> get(const std::string& workspace, const std::string& name) const;
    Result<void> remove(const std::string& workspace, const std::string& name,
                        const std::string& expected_revision = "");

    /// Environment variables for a function. SECRET_NOT_FOUND names the secret and the key.
    Result<std::vector<std::pair<std::string, std::string>>> resolve(
        const std::string& workspace, const std::vector<SecretRef>& refs) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hks::secrets
