// SPDX-License-Identifier: Apache-2.0
#pragma once
// The tables of secrets, as numbered steps. A step that was released never changes.

#include <hks/storage/database.hpp>

#include <array>

namespace hks::secrets {

inline constexpr std::array<storage::Migration, 1> schema{{
    {1, R"sql(
CREATE TABLE keyring(
    id      INTEGER PRIMARY KEY CHECK(id = 1),
    wrapped BLOB NOT NULL              -- the data key under the master key
);
CREATE TABLE secrets(
    version    INTEGER PRIMARY KEY AUTOINCREMENT,  -- new with every write, never used again
    workspace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    crc        INTEGER NOT NULL,
    UNIQUE(workspace, name)
);
CREATE TABLE secret_values(
    version INTEGER NOT NULL REFERENCES secrets(version) ON DELETE CASCADE,
    key     TEXT NOT NULL,
    sealed  BLOB NOT NULL,
    crc     INTEGER NOT NULL,
    PRIMARY KEY(version, key)
) WITHOUT ROWID;
)sql"},
}};

}  // namespace hks::secrets
