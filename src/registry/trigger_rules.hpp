// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is true of triggers whatever holds them: names within a function, ids over deploys, who owns which
// path. Pure.

#include <hks/registry/catalog.hpp>

#include <optional>
#include <string>
#include <vector>

namespace hks::registry {

/// "/a/{x}/*" → "/a/{}/*": patterns that match the same paths become equal.
std::string normalised_pattern(const std::string& path);
/// True when one request could be meant for both: same pattern (or both without one) and a method in common.
bool overlap(const TriggerSpec& a, const TriggerSpec& b);

/// The spec's triggers as entries of a function: every name there and unique, ids kept where a name is known.
std::vector<TriggerEntry> make_entries(const std::vector<TriggerSpec>& specs,
                                       const std::vector<TriggerEntry>& known);
/// "http", "http-2" …: the first that no entry has.
std::string free_name(const std::string& wish, const std::vector<TriggerEntry>& taken);

/// The first conflict of a function's triggers with each other or with those of another function of its
/// workspace.
std::optional<Error> find_conflict(const Catalog& catalog, const std::string& workspace,
                                   const std::string& function, const std::vector<TriggerEntry>& triggers);

}  // namespace hks::registry
