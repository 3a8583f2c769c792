// SPDX-License-Identifier: Apache-2.0
#pragma once
// Patterns of http triggers ("/users/{id}", "/files/*") by segment: an exact one beats a parameter beats a
// wildcard, decided from the left, and a longer match that fails falls back. Built once, then read only.

#include <cstddef>
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

    /// Binds `pattern` to `value`; the value that was bound to the same pattern (parameter names do not
    /// count) stays and is returned.
    size_t insert(std::string_view pattern, size_t value);
    /// The value of the best pattern, or `nothing`. `parts`: what the parameters and the wildcard stand for,
    /// in order.
    size_t find(std::string_view path, std::vector<PathPart>& parts) const;

    bool empty() const { return nodes_.size() == 1; }

  private:
    struct Node {
        std::map<std::string, size_t, std::less<>> children;
        size_t parameter = nothing;  ///< node
        size_t value = nothing;
        size_t wildcard = nothing;  ///< value
    };
    size_t match(const Node& node, std::string_view path, size_t at, std::vector<PathPart>& parts) const;

    std::vector<Node> nodes_{1};
};

/// Names of a pattern's parameters in order; a wildcard is called "*".
std::vector<std::string> parameter_names(std::string_view pattern);

}  // namespace hks::gateway
