// SPDX-License-Identifier: Apache-2.0
#pragma once
// Patterns of http triggers ("/users/{id}", "/files/*") by segment: an exact one beats a parameter beats a
// wildcard, decided from the left, and a longer match that fails, or does not take the method, falls back.
// Built once, then read only.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hks::gateway {

/// A part of a path, by position: the path may have moved when it is needed.
struct PathPart {
    size_t begin = 0;
    size_t size = 0;
};

class PathTrie {
  public:
    static constexpr size_t nothing = static_cast<size_t>(-1);

    /// Binds `pattern` to `value` for a set of methods (one bit each). What was bound to the same pattern
    /// before (parameter names do not count) stays, and wins where both take a method.
    void insert(std::string_view pattern, uint16_t methods, size_t value);

    struct Search {
        std::string_view path;
        uint16_t method = 0;
        uint16_t instead = 0;          ///< of a pattern that does not take `method`: GET's for HEAD; 0 = none
        std::vector<PathPart>& parts;  ///< what the parameters and the wildcard stand for, in order
        uint16_t allowed = 0;          ///< when nothing takes the method: all that would have been taken
    };
    /// The value of the best pattern that takes the method, or `nothing`.
    size_t find(Search& search) const;

  private:
    struct Bound {
        uint16_t methods;
        size_t value;
    };
    struct Node {
        std::map<std::string, size_t, std::less<>> children;
        size_t parameter = nothing;  ///< node
        std::vector<Bound> ends, wildcards;
    };
    static size_t pick(const std::vector<Bound>& bounds, Search& search);
    size_t match(const Node& node, size_t at, Search& search) const;

    std::vector<Node> nodes_{1};
};

/// Names of a pattern's parameters in order; a wildcard is called "*".
std::vector<std::string> parameter_names(std::string_view pattern);

}  // namespace hks::gateway
