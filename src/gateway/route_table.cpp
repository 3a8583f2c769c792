// SPDX-License-Identifier: Apache-2.0
#include "route_table.hpp"

#include <array>
#include <charconv>

namespace hks::gateway {
namespace {

constexpr std::array<std::string_view, 9> methods{"GET",    "HEAD",    "POST",  "PUT",    "PATCH",
                                                  "DELETE", "OPTIONS", "TRACE", "CONNECT"};
constexpr uint16_t other_bit = 0x8000;
constexpr std::string_view functions_prefix = "/functions/";
constexpr std::string_view workspaces_prefix = "/workspaces/";

uint16_t mask_of(const std::vector<std::string>& names) {
    if (names.empty()) return any_method;
    uint16_t mask = 0;
    for (const auto& name : names) mask |= method_bit(name);
    return mask;
}

void add_target(Route& route, const TriggerSpec& trigger, TriggerAuth default_auth) {
    const TriggerAuth auth = trigger.auth == TriggerAuth::inherit ? default_auth : trigger.auth;
    route.targets.push_back({mask_of(trigger.methods), auth == TriggerAuth::token, trigger.name});
}

/// The first segments that no pattern may begin with, so that no wildcard stands for them either; those of
/// the management API are answered before anybody asks here.
bool is_reserved(std::string_view path) {
    const auto is = [path](std::string_view name) {
        return path.starts_with(name) && (path.size() == name.size() || path[name.size()] == '/');
    };
    switch (path.size() > 1 ? path[1] : '\0') {
        case 'f':
            return is("/functions");
        case 'w':
            return is("/workspaces");
        case 'u':
            return is("/ui");
        default:
            return false;
    }
}

}  // namespace

std::string allow_text(uint16_t mask) {
    if (mask & get_bit) mask |= head_bit;
    std::string allow;
    for (size_t i = 0; i < methods.size(); ++i) {
        if (!(mask & (1u << i))) continue;
        if (!allow.empty()) allow += ", ";
        allow += methods[i];
    }
    return allow;
}

uint16_t method_bit(std::string_view method) {
    for (size_t i = 0; i < methods.size(); ++i)
        if (methods[i] == method) return static_cast<uint16_t>(1u << i);
    return other_bit;
}

FunctionRoutes::FunctionRoutes(std::shared_ptr<const registry::FunctionEntry> entry, TriggerAuth default_auth)
    : function(std::move(entry)) {
    for (const auto& trigger : function->triggers) {
        const TriggerSpec& spec = trigger.spec;
        if (!spec.enabled || spec.type != "http") continue;
        if (spec.path.empty()) {
            add_target(by_name, spec, default_auth);
            continue;
        }
        Route* route = nullptr;
        for (auto& [pattern, known] : by_path)
            if (pattern == spec.path) route = &known;
        if (!route) route = &by_path.emplace_back(spec.path, Route{}).second;
        add_target(*route, spec, default_auth);
    }
    for (auto& [pattern, route] : by_path) route.parameters = parameter_names(pattern);
    if (function->active)
        version_line = "X-Hks-Version: " + std::to_string(function->active->number) + "\r\n";
}

RouteTable::RouteTable(const registry::Catalog& catalog, TriggerAuth default_auth, const RouteTable* before) {
    for (const auto& [key, entry] : catalog.functions) {
        Routes routes;
        if (before) {
            const auto old = before->workspaces_.find(entry->workspace);
            if (old != before->workspaces_.end()) {
                const auto same = old->second.by_name.find(entry->name);
                if (same != old->second.by_name.end() && same->second->function == entry)
                    routes = same->second;
            }
        }
        if (!routes) routes = std::make_shared<FunctionRoutes>(entry, default_auth);
        Workspace& workspace = workspaces_[entry->workspace];
        for (const auto& [pattern, route] : routes->by_path) {
            workspace.trie.insert(pattern, route.methods(), workspace.by_path.size());
            workspace.by_path.emplace_back(routes, &route);
        }
        workspace.by_name.emplace(entry->name, std::move(routes));
        ++functions_;
    }
    const auto at = workspaces_.find("default");
    if (at != workspaces_.end()) default_ = &at->second;
}

Lookup RouteTable::find(std::string_view path, uint16_t method, Match& match) const {
    static const Workspace nobody;
    const Workspace& by_default = default_ ? *default_ : nobody;
    if (path.starts_with(functions_prefix))
        return find_name(by_default, path, functions_prefix.size(), method, match);
    if (!path.starts_with(workspaces_prefix)) return find_path(by_default, path, 0, method, match);

    const size_t name_at = workspaces_prefix.size();
    const size_t slash = path.find('/', name_at);
    if (slash == std::string_view::npos) return Lookup::nothing;
    const auto at = workspaces_.find(path.substr(name_at, slash - name_at));
    const Workspace& workspace = at == workspaces_.end() ? nobody : at->second;
    if (path.substr(slash).starts_with(functions_prefix))
        return find_name(workspace, path, slash + functions_prefix.size(), method, match);
    // The default workspace's own paths are at their place, not here as well: one URL for one thing.
    return &workspace == default_ ? Lookup::nothing : find_path(workspace, path, slash, method, match);
}

Lookup RouteTable::find_name(const Workspace& workspace, std::string_view path, size_t at, uint16_t method,
                             Match& match) const {
    const size_t end = std::min(path.find('/', at), path.size());
    std::string_view name = path.substr(at, end - at);
    match.version = 0;
    bool malformed = false;
    if (const size_t mark = name.find('@'); mark != std::string_view::npos) {
        const std::string_view number = name.substr(mark + 1);
        name = name.substr(0, mark);
        const auto parsed = std::from_chars(number.data(), number.data() + number.size(), match.version);
        malformed =
            parsed.ec != std::errc() || parsed.ptr != number.data() + number.size() || match.version <= 0;
    }
    const auto found = workspace.by_name.find(name);
    if (found == workspace.by_name.end() || found->second->by_name.targets.empty())
        return Lookup::unknown_function;
    if (malformed) return Lookup::unknown_version;
    const Route& route = found->second->by_name;
    match.target = route.find(method);
    if (!match.target) {
        match.allowed = route.methods();
        return Lookup::wrong_method;
    }
    if (match.routes != found->second) match.routes = found->second;
    match.route = &route;
    match.told_from = end;
    match.parts.clear();
    return Lookup::found;
}

Lookup RouteTable::find_path(const Workspace& workspace, std::string_view path, size_t at, uint16_t method,
                             Match& match) const {
    if (workspace.by_path.empty() || is_reserved(path.substr(at))) return Lookup::nothing;
    PathTrie::Search search{path.substr(at), method, instead_of(method), match.parts, 0};
    const size_t found = workspace.trie.find(search);
    if (found == PathTrie::nothing) {
        match.allowed = search.allowed;
        return search.allowed == 0 ? Lookup::nothing : Lookup::wrong_method;
    }
    const auto& [routes, route] = workspace.by_path[found];
    if (match.routes != routes) match.routes = routes;
    match.route = route;
    match.target = route->find(method);
    match.version = 0;
    match.told_from = match.parts_from = at;
    return Lookup::found;
}

}  // namespace hks::gateway
