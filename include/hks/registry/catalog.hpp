// SPDX-License-Identifier: Apache-2.0
#pragma once
// The registry as everybody else sees it: one immutable snapshot of all functions that can be called. A write
// makes a new snapshot and sets the CatalogWatch; entries that did not change are shared with the one before.
// Any thread.

#include <hks/core/async/watch.hpp>
#include <hks/core/function.hpp>
#include <hks/core/version.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hks::registry {

struct TriggerEntry {
    std::string id;    ///< "trg_…"
    TriggerSpec spec;  ///< name never empty, auth still `inherit` when not chosen
};

/// What a condition (If-Match) names: the same as long as nobody changed the trigger.
std::string revision_of(const TriggerEntry& trigger);

struct FunctionEntry {
    std::string id;  ///< "fn_…"
    std::string name;
    std::string workspace;
    std::shared_ptr<const Version> active;                   ///< null until a build succeeded
    std::map<int, std::shared_ptr<const Version>> versions;  ///< every built version
    std::vector<TriggerEntry> triggers;
};

struct Catalog {
    uint64_t revision = 0;
    /// Key: workspace + "/" + name.
    std::map<std::string, std::shared_ptr<const FunctionEntry>, std::less<>> functions;

    std::shared_ptr<const FunctionEntry> find(std::string_view workspace, std::string_view name) const;
};

using CatalogWatch = Watch<Catalog>;

}  // namespace hks::registry
