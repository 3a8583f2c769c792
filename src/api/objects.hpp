// SPDX-License-Identifier: Apache-2.0
#pragma once
// Records of the stores → the objects of the REST API (the schemas of the same names are in schemas.cpp).
// Pure.

#include <hks/auth/auth.hpp>
#include <hks/build/build_service.hpp>
#include <hks/observe/function_log_store.hpp>
#include <hks/registry/function_registry.hpp>
#include <hks/secrets/secret_store.hpp>

#include <nlohmann/json_fwd.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace hks::api {

/// Where a function without a path of its own, or a trigger, is reached.
std::string trigger_url(const std::string& base_url, const std::string& workspace,
                        const std::string& function, const TriggerSpec& trigger);

nlohmann::json function_json(const registry::FunctionRecord& function, const std::string& base_url);
nlohmann::json version_json(const registry::VersionRecord& version);
/// `default_auth`: what is in force where the trigger does not say.
nlohmann::json trigger_json(const registry::FunctionRecord& function, const registry::TriggerEntry& trigger,
                            const std::string& base_url, TriggerAuth default_auth);
nlohmann::json log_json(const observe::StoredLog& log);
nlohmann::json build_log_json(const build::BuildLogLine& line);
nlohmann::json secret_json(const secrets::SecretRecord& secret);
nlohmann::json token_json(const auth::TokenRecord& token);

/// {"items": …, "next_cursor": null | "…"}
nlohmann::json list_json(nlohmann::json items, const std::optional<std::string>& next_cursor);

/// Text that never fails: bytes that are not UTF-8 become U+FFFD.
std::string dump(const nlohmann::json& value);

/// The page of a whole list that is in memory, ordered by `key`; the cursor is the last key.
template <class T, class Key>
registry::PageOf<T> page_of(std::vector<T> all, const registry::Page& page, Key key) {
    std::sort(all.begin(), all.end(), [&](const T& a, const T& b) { return key(a) < key(b); });
    registry::PageOf<T> out;
    for (T& item : all) {
        if (!page.cursor.empty() && key(item) <= page.cursor) continue;
        if (out.items.size() == page.limit) {
            out.next_cursor = key(out.items.back());
            break;
        }
        out.items.push_back(std::move(item));
    }
    return out;
}

}  // namespace hks::api
