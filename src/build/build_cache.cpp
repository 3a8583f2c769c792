// SPDX-License-Identifier: Apache-2.0
#include "build_cache.hpp"

#include <iterator>

namespace hks::build {
namespace {

constexpr storage::Migration migrations[] = {
    {1,
     "CREATE TABLE build_cache(id INTEGER PRIMARY KEY, source_key TEXT NOT NULL UNIQUE, digest TEXT NOT "
     "NULL);"
     "CREATE TABLE build_loads(id INTEGER PRIMARY KEY, load_key TEXT NOT NULL UNIQUE, handler TEXT NOT NULL, "
     "                         kind TEXT NOT NULL);"},
};

}  // namespace

Result<void> BuildCache::open() {
    return storage::migrate(database_, "build_cache", migrations, std::size(migrations));
}

std::optional<std::string> BuildCache::bundle(const std::string& source_key) {
    std::lock_guard lock(database_.mutex());
    auto row = database_.prepare("SELECT digest FROM build_cache WHERE source_key = ?");
    if (!row) return std::nullopt;
    auto found = row->bind(source_key).step();
    if (!found || !*found) return std::nullopt;
    return row->text(0);
}

std::optional<runtime::ReadyInfo> BuildCache::loaded(const std::string& load_key) {
    std::lock_guard lock(database_.mutex());
    auto row = database_.prepare("SELECT handler, kind FROM build_loads WHERE load_key = ?");
    if (!row) return std::nullopt;
    auto found = row->bind(load_key).step();
    if (!found || !*found) return std::nullopt;
    runtime::ReadyInfo info;
    info.handler = row->text(0);
    info.kind = row->text(1);
    return info;
}

Result<void> BuildCache::put(const char* sql, const std::string& key, const std::string& a,
                             const std::string& b) {
    std::lock_guard lock(database_.mutex());
    auto insert = database_.prepare(sql);
    if (!insert) return insert.error();
    insert->bind(key).bind(a);
    if (!b.empty()) insert->bind(b);
    return insert->run();
}

void BuildCache::remember_bundle(const std::string& source_key, const std::string& digest) {
    if (!put("INSERT OR REPLACE INTO build_cache(source_key, digest) VALUES(?, ?)", source_key, digest, ""))
        return;
    (void)database_.execute("DELETE FROM build_cache WHERE id <= (SELECT max(id) FROM build_cache) - 5000");
}

void BuildCache::remember_loaded(const std::string& load_key, const runtime::ReadyInfo& info) {
    const std::string kind = info.kind.empty() ? "sync" : info.kind;
    if (!put("INSERT OR REPLACE INTO build_loads(load_key, handler, kind) VALUES(?, ?, ?)", load_key,
             info.handler, kind))
        return;
    (void)database_.execute("DELETE FROM build_loads WHERE id <= (SELECT max(id) FROM build_loads) - 5000");
}

}  // namespace hks::build
