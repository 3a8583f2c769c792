// SPDX-License-Identifier: Apache-2.0
#include "registry_write.hpp"

#include <hks/registry/function_registry.hpp>

#include <charconv>
#include <limits>

namespace hks::registry {

namespace {

constexpr std::string_view name_cursor = "n-";
constexpr std::string_view number_cursor = "v-";

Error bad_cursor() {
    Error error(Errc::validation_error,
                "The cursor is not one that this list gave. Start again without a cursor.");
    error.fields.push_back({"cursor", "not a cursor of this list", 0});
    return error;
}

/// Cuts the one item more than asked for that tells whether there is a next page.
template <class T>
bool cut(std::vector<T>& items, size_t limit) {
    if (items.size() <= limit) return false;
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(limit), items.end());
    return !items.empty();
}

}  // namespace

std::shared_ptr<const FunctionEntry> Catalog::find(std::string_view workspace, std::string_view name) const {
    std::string key;
    key.reserve(workspace.size() + 1 + name.size());
    key.append(workspace).append("/").append(name);
    auto found = functions.find(key);
    return found == functions.end() ? nullptr : found->second;
}

Result<FunctionRecord> FunctionRegistry::get(const std::string& workspace,
                                             const std::string& function) const {
    std::lock_guard lock(impl_->database.mutex());
    auto row = impl_->load(workspace, function);
    if (!row) return row.error();
    return std::move(row->record);
}

Result<PageOf<FunctionRecord>> FunctionRegistry::list(const std::string& workspace, const Page& page) const {
    std::string after;
    if (!page.cursor.empty()) {
        if (!page.cursor.starts_with(name_cursor)) return bad_cursor();
        after = page.cursor.substr(name_cursor.size());
    }
    std::lock_guard lock(impl_->database.mutex());
    auto ids = impl_->store.ids(workspace, after, page.limit + 1);
    if (!ids) return ids.error();
    bool more = cut(*ids, page.limit);
    PageOf<FunctionRecord> out;
    for (const auto& id : *ids) {
        auto row = impl_->load(id);
        if (!row) return row.error();
        out.items.push_back(std::move(row->record));
    }
    if (more) out.next_cursor = std::string(name_cursor) + out.items.back().name;
    return out;
}

Result<VersionRecord> FunctionRegistry::version(const std::string& workspace, const std::string& function,
                                                int number) const {
    std::lock_guard lock(impl_->database.mutex());
    auto id = impl_->store.id_of(workspace, function);
    if (!id) return id.error();
    return impl_->store.version(*id, number);
}

Result<PageOf<VersionRecord>> FunctionRegistry::versions(const std::string& workspace,
                                                         const std::string& function,
                                                         const Page& page) const {
    int below = std::numeric_limits<int>::max();
    if (!page.cursor.empty()) {
        std::string_view digits = page.cursor;
        if (!digits.starts_with(number_cursor)) return bad_cursor();
        digits.remove_prefix(number_cursor.size());
        auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), below);
        if (failed != std::errc() || end != digits.data() + digits.size()) return bad_cursor();
    }
    std::lock_guard lock(impl_->database.mutex());
    auto id = impl_->store.id_of(workspace, function);
    if (!id) return id.error();
    PageOf<VersionRecord> out;
    auto records = impl_->store.versions(*id, below, page.limit + 1);
    if (!records) return records.error();
    out.items = std::move(*records);
    if (cut(out.items, page.limit))
        out.next_cursor = std::string(number_cursor) + std::to_string(out.items.back().number);
    return out;
}

Result<std::set<std::string>> FunctionRegistry::digests_in_use() const {
    std::lock_guard lock(impl_->database.mutex());
    return impl_->store.digests();
}

}  // namespace hks::registry
