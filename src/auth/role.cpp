// SPDX-License-Identifier: Apache-2.0
#include <hks/auth/auth.hpp>

#include <algorithm>
#include <array>

namespace hks::auth {

namespace {

struct RoleRow {
    Role role;
    std::string_view name;
};
constexpr std::array roles{RoleRow{Role::none, "none"}, RoleRow{Role::viewer, "viewer"},
                           RoleRow{Role::developer, "developer"}, RoleRow{Role::admin, "admin"}};

bool role_allows(Role role, Action action) {
    switch (role) {
        case Role::none:
            return false;
        case Role::viewer:
            return action == Action::read;
        case Role::developer:
            return action == Action::read || action == Action::write || action == Action::invoke;
        case Role::admin:
            return true;
    }
    return false;
}

bool has_scope(const Principal& principal, std::string_view scope) {
    return std::find(principal.scopes.begin(), principal.scopes.end(), scope) != principal.scopes.end();
}

}  // namespace

std::string_view role_name(Role role) {
    for (const auto& row : roles)
        if (row.role == role) return row.name;
    return "none";
}

std::optional<Role> role_from_name(std::string_view name) {
    for (const auto& row : roles)
        if (row.name == name) return row.role;
    return std::nullopt;
}

bool allowed(const Principal& principal, Action action, std::string_view workspace) {
    if (!principal.workspace.empty() && principal.workspace != workspace) return false;
    return role_allows(principal.role, action) ||
           (action == Action::invoke && has_scope(principal, "invoke"));
}

}  // namespace hks::auth
