// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which function a path means. Immutable, made of one Catalog; what belongs to a function whose entry did not
// change is shared with the table before. A call by name is one hash probe. Loop thread.

#include "path_trie.hpp"

#include <hks/dispatch/dispatcher.hpp>
#include <hks/registry/catalog.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace hks::gateway {

/// One bit a method; methods that have no bit of their own share the last one.
uint16_t method_bit(std::string_view method);
inline constexpr uint16_t any_method = 0xffff;
inline constexpr uint16_t get_bit = 1, head_bit = 2;
/// What is taken in a method's place where it is not taken itself: GET for HEAD; 0 = nothing.
constexpr uint16_t instead_of(uint16_t method) {
    return method == head_bit ? get_bit : uint16_t{0};
}
/// "GET, HEAD, POST", for 405.
std::string allow_text(uint16_t methods);

/// What a trigger lets in.
struct Target {
    uint16_t methods = any_method;
    bool needs_token = false;
    std::string trigger;
};

/// One place where a function can be reached; several triggers may share it with different methods.
struct Route {
    std::vector<Target> targets;
    std::vector<std::string> parameters;  ///< names, in the order of the path

    const Target* find(uint16_t method) const {
        for (const uint16_t bit : {method, instead_of(method)})
            for (const Target& target : targets)
                if (target.methods & bit) return &target;
        return nullptr;
    }
    uint16_t methods() const {
        uint16_t all = 0;
        for (const Target& target : targets) all |= target.methods;
        return all;
    }
};

/// Everything about one catalog entry.
struct FunctionRoutes {
    FunctionRoutes(std::shared_ptr<const registry::FunctionEntry> entry, TriggerAuth default_auth);

    std::shared_ptr<const registry::FunctionEntry> function;
    Route by_name;                                        ///< without targets: not reachable by name
    std::vector<std::pair<std::string, Route>> by_path;   ///< pattern, route
    std::string version_line;                             ///< "X-Hks-Version: 3\r\n" of the active version
    mutable std::shared_ptr<dispatch::VersionPool> pool;  ///< of the active version, made by the first call
};

enum class Lookup {
    nothing,           ///< no function can be meant
    unknown_function,  ///< a function was named that is not there
    unknown_version,   ///< name@… does not name a version
    wrong_method,      ///< the path is there, for other methods: Match::allowed
    found,
};

struct Match {
    std::shared_ptr<const FunctionRoutes> routes;
    const Route* route = nullptr;
    const Target* target = nullptr;
    uint16_t allowed = 0;         ///< with wrong_method
    int version = 0;              ///< of name@3; 0 = the active one
    size_t told_from = 0;         ///< where in the path begins what the function is told; its size: "/"
    size_t parts_from = 0;        ///< what `parts` count from
    std::vector<PathPart> parts;  ///< of the parameters
};

class RouteTable {
  public:
    RouteTable(const registry::Catalog& catalog, TriggerAuth default_auth, const RouteTable* before);

    /// `path` is the normalised one, `method` its bit. Reuses what `match` holds.
    Lookup find(std::string_view path, uint16_t method, Match& match) const;
    size_t size() const { return functions_; }

  private:
    struct Hash {
        using is_transparent = void;
        size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    template <class T>
    using Map = std::unordered_map<std::string, T, Hash, std::equal_to<>>;
    using Routes = std::shared_ptr<const FunctionRoutes>;

    struct Workspace {
        Map<Routes> by_name;
        PathTrie trie;
        std::vector<std::pair<Routes, const Route*>> by_path;  ///< the trie's values
    };

    Lookup find_name(const Workspace& workspace, std::string_view path, size_t at, uint16_t method,
                     Match& match) const;
    Lookup find_path(const Workspace& workspace, std::string_view path, size_t at, uint16_t method,
                     Match& match) const;

    Map<Workspace> workspaces_;
    const Workspace* default_ = nullptr;
    size_t functions_ = 0;
};

}  // namespace hks::gateway
