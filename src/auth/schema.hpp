// SPDX-License-Identifier: Apache-2.0
#pragma once
// The tables of tokens and of the audit log, as numbered steps. A step that was released never changes.

#include <hks/storage/database.hpp>

#include <array>

namespace hks::auth {

inline constexpr std::array<storage::Migration, 2> token_schema{{
    {1, R"sql(
CREATE TABLE tokens(
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    workspace    TEXT NOT NULL,        -- '' = all
    role         TEXT NOT NULL,
    scopes       TEXT NOT NULL,        -- separated by spaces
    digest       BLOB NOT NULL UNIQUE, -- SHA-256 of the token's text
    created_at   INTEGER NOT NULL,     -- microseconds since 1970, everywhere
    expires_at   INTEGER,
    last_used_at INTEGER,              -- not in the checksum: written often, and nothing depends on it
    crc          INTEGER NOT NULL,
    UNIQUE(workspace, name)
) WITHOUT ROWID;
)sql"},
    {2, R"sql(
CREATE TABLE kept_token(
    id    INTEGER PRIMARY KEY CHECK(id = 1),
    token TEXT NOT NULL                 -- the id of the token that a start made; its text is kept in a file
);
INSERT INTO kept_token(id, token)
    SELECT 1, id FROM tokens WHERE workspace = '' AND name = 'admin' AND role = 'admin';
)sql"},
}};

inline constexpr std::array<storage::Migration, 1> audit_schema{{
    {1, R"sql(
CREATE TABLE audit(
    key       INTEGER PRIMARY KEY AUTOINCREMENT,  -- sqlite_sequence tells when the newest rows are gone
    time      INTEGER NOT NULL,
    who       TEXT NOT NULL,
    source    TEXT NOT NULL,
    workspace TEXT NOT NULL,
    action    TEXT NOT NULL,
    target    TEXT NOT NULL,
    status    INTEGER NOT NULL,
    code      TEXT NOT NULL,
    digest    BLOB NOT NULL
);
)sql"},
}};

}  // namespace hks::auth
