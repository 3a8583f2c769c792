// SPDX-License-Identifier: Apache-2.0
#include "path_trie.hpp"

namespace hks::gateway {
namespace {

/// `at` is behind a '/': the segment up to the next one.
std::string_view segment_at(std::string_view path, size_t at) {
    return path.substr(at, path.find('/', at) - at);
}

bool is_parameter(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

}  // namespace

size_t PathTrie::insert(std::string_view pattern, size_t value) {
    size_t node = 0;
    for (size_t at = 1; at <= pattern.size();) {
        const std::string_view segment = segment_at(pattern, at);
        if (segment == "*") {
            size_t& bound = nodes_[node].wildcard;
            return bound == nothing ? bound = value : bound;
        }
        const size_t fresh = nodes_.size();
        size_t next = fresh;
        if (is_parameter(segment)) {
            size_t& child = nodes_[node].parameter;
            next = child == nothing ? child = fresh : child;
        } else {
            next = nodes_[node].children.try_emplace(std::string(segment), fresh).first->second;
        }
        if (next == fresh) nodes_.emplace_back();
        node = next;
        at += segment.size() + 1;
    }
    size_t& bound = nodes_[node].value;
    return bound == nothing ? bound = value : bound;
}

size_t PathTrie::find(std::string_view path, std::vector<PathPart>& parts) const {
    parts.clear();
    if (path.empty() || path.front() != '/') return nothing;
    return match(nodes_.front(), path, 1, parts);
}

size_t PathTrie::match(const Node& node, std::string_view path, size_t at,
                       std::vector<PathPart>& parts) const {
    if (at > path.size()) return node.value;
    const std::string_view segment = segment_at(path, at);
    const size_t next = at + segment.size() + 1;
    if (const auto child = node.children.find(segment); child != node.children.end()) {
        const size_t value = match(nodes_[child->second], path, next, parts);
        if (value != nothing) return value;
    }
    if (node.parameter != nothing && !segment.empty()) {
        parts.push_back({at, segment.size()});
        const size_t value = match(nodes_[node.parameter], path, next, parts);
        if (value != nothing) return value;
        parts.pop_back();
    }
    if (node.wildcard == nothing) return nothing;
    parts.push_back({at, path.size() - at});
    return node.wildcard;
}

std::vector<std::string> parameter_names(std::string_view pattern) {
    std::vector<std::string> names;
    for (size_t at = 1; at <= pattern.size();) {
        const std::string_view segment = segment_at(pattern, at);
        if (segment == "*") names.emplace_back("*");
        if (is_parameter(segment)) names.emplace_back(segment.substr(1, segment.size() - 2));
        at += segment.size() + 1;
    }
    return names;
}

}  // namespace hks::gateway
