// SPDX-License-Identifier: Apache-2.0
#pragma once
// The tables of the registry, as numbered steps. A step that was released never changes.

#include <hks/storage/database.hpp>

#include <array>

namespace hks::registry {

inline constexpr std::array<storage::Migration, 1> schema{{
    {1, R"sql(
CREATE TABLE workspaces(
    name       TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO workspaces(name, created_at) VALUES('default', 0);

CREATE TABLE functions(
    id             TEXT PRIMARY KEY,
    workspace      TEXT NOT NULL REFERENCES workspaces(name),
    name           TEXT NOT NULL,
    status         TEXT NOT NULL,
    active_version INTEGER NOT NULL,   -- 0 = none
    last_version   INTEGER NOT NULL,   -- numbers are never used twice
    switch_floor   INTEGER NOT NULL,   -- a build switches only when its number is greater
    labels         TEXT NOT NULL,
    spec           TEXT NOT NULL,
    created_at     INTEGER NOT NULL,   -- microseconds since 1970, everywhere
    updated_at     INTEGER NOT NULL,
    revision       INTEGER NOT NULL,
    crc            INTEGER NOT NULL,
    UNIQUE(workspace, name)
) WITHOUT ROWID;

CREATE TABLE versions(
    key         INTEGER PRIMARY KEY AUTOINCREMENT,
    function_id TEXT NOT NULL REFERENCES functions(id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    status      TEXT NOT NULL,
    digest      TEXT NOT NULL,
    spec        TEXT NOT NULL,
    runtime     TEXT NOT NULL,
    error       TEXT NOT NULL,
    activate    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER,
    crc         INTEGER NOT NULL,
    UNIQUE(function_id, number)
);

CREATE TABLE triggers(
    id          TEXT PRIMARY KEY,
    function_id TEXT NOT NULL REFERENCES functions(id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    name        TEXT NOT NULL,
    spec        TEXT NOT NULL,
    crc         INTEGER NOT NULL,
    UNIQUE(function_id, name)
) WITHOUT ROWID;

CREATE TABLE idempotency(
    scope       TEXT NOT NULL,
    key         TEXT NOT NULL,
    body_digest TEXT NOT NULL,
    status      INTEGER NOT NULL,
    body        TEXT NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY(scope, key)
) WITHOUT ROWID;

-- One counter for all writes: the ETag of a function that was deleted and made again never comes back.
CREATE TABLE registry_revision(
    id       INTEGER PRIMARY KEY CHECK(id = 1),
    revision INTEGER NOT NULL
);
INSERT INTO registry_revision(id, revision) VALUES(1, 0);
)sql"},
}};

}  // namespace hks::registry
