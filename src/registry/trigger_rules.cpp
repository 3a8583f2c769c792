// SPDX-License-Identifier: Apache-2.0
#include "trigger_rules.hpp"

#include <hks/core/ids.hpp>

#include <algorithm>

namespace hks::registry {

namespace {

constexpr size_t max_name = 63;

bool has_name(const std::vector<TriggerEntry>& entries, const std::string& name) {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const auto& entry) { return entry.spec.name == name; });
}

std::string describe(const TriggerSpec& trigger, const std::string& function) {
    std::string methods;
    for (const auto& method : trigger.methods) methods += (methods.empty() ? "" : ",") + method;
    std::string path = trigger.path.empty() ? "/functions/" + function : trigger.path;
    return (methods.empty() ? "ANY" : methods) + " " + path;
}

}  // namespace

std::string normalised_pattern(const std::string& path) {
    std::string out;
    for (size_t i = 0; i < path.size(); ++i) {
        out += path[i];
        if (path[i] != '{') continue;
        size_t end = path.find('}', i);
        if (end == path.npos) return path;
        i = end - 1;
    }
    return out;
}

bool overlap(const TriggerSpec& a, const TriggerSpec& b) {
    if (normalised_pattern(a.path) != normalised_pattern(b.path)) return false;
    if (a.methods.empty() || b.methods.empty()) return true;
    return std::any_of(a.methods.begin(), a.methods.end(), [&](const std::string& method) {
        return std::find(b.methods.begin(), b.methods.end(), method) != b.methods.end();
    });
}

std::string free_name(const std::string& wish, const std::vector<TriggerEntry>& taken) {
    if (!has_name(taken, wish)) return wish;
    for (int n = 2;; ++n) {
        std::string end = "-" + std::to_string(n);
        std::string name = wish.substr(0, max_name - end.size()) + end;
        if (!has_name(taken, name)) return name;
    }
}

std::vector<TriggerEntry> make_entries(const std::vector<TriggerSpec>& specs,
                                       const std::vector<TriggerEntry>& known) {
    std::vector<TriggerEntry> entries;
    // Names that were chosen come first, so that a made-up one never takes them.
    for (const auto& spec : specs) entries.push_back({"", spec});
    std::vector<TriggerEntry> named;
    auto name_it = [&named](TriggerEntry& entry) {
        entry.spec.name = free_name(entry.spec.name.empty() ? entry.spec.type : entry.spec.name, named);
        named.push_back(entry);
    };
    for (auto& entry : entries)
        if (!entry.spec.name.empty()) name_it(entry);
    for (auto& entry : entries)
        if (entry.spec.name.empty()) name_it(entry);
    for (auto& entry : entries) {
        auto same = std::find_if(known.begin(), known.end(),
                                 [&](const auto& other) { return other.spec.name == entry.spec.name; });
        entry.id = same != known.end() ? same->id : make_id("trg_");
    }
    return entries;
}

std::optional<Error> find_conflict(const Catalog& catalog, const std::string& workspace,
                                   const std::string& function, const std::vector<TriggerEntry>& triggers) {
    for (size_t i = 0; i < triggers.size(); ++i)
        for (size_t j = 0; j < i; ++j)
            if (overlap(triggers[i].spec, triggers[j].spec))
                return Error(Errc::conflict, "Triggers '" + triggers[j].spec.name + "' and '" +
                                                 triggers[i].spec.name + "' of function '" + function +
                                                 "' both take " + describe(triggers[i].spec, function) +
                                                 ". Give one of them another path or other methods.");
    std::string first = workspace + "/";
    for (auto it = catalog.functions.lower_bound(first); it != catalog.functions.end(); ++it) {
        if (!it->first.starts_with(first)) break;
        const auto& other = *it->second;
        if (other.name == function) continue;
        for (const auto& theirs : other.triggers)
            for (const auto& ours : triggers)
                if (!ours.spec.path.empty() && overlap(ours.spec, theirs.spec))
                    return Error(Errc::conflict, "The path " + describe(ours.spec, function) +
                                                     " is taken: trigger '" + theirs.spec.name +
                                                     "' of function '" + other.name + "' has " +
                                                     describe(theirs.spec, other.name) +
                                                     ". Choose another path, or remove that trigger.");
    }
    return std::nullopt;
}

}  // namespace hks::registry
