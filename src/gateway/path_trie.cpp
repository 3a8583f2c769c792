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

void PathTrie::insert(std::string_view pattern, uint16_t methods, size_t value) {
    size_t node = 0;
    for (size_t at = 1; at <= pattern.size();) {
        const std::string_view segment = segment_at(pattern, at);
        if (segment == "*") return nodes_[node].wildcards.push_back({methods, value});
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
    nodes_[node].ends.push_back({methods, value});
}

size_t PathTrie::find(Search& search) const {
    search.parts.clear();
    search.allowed = 0;
    if (search.path.empty() || search.path.front() != '/') return nothing;
    return match(nodes_.front(), 1, search);
}

size_t PathTrie::pick(const std::vector<Bound>& bounds, Search& search) {
    for (const uint16_t method : {search.method, search.instead})
        for (const Bound& bound : bounds)
            if (bound.methods & method) return bound.value;
    for (const Bound& bound : bounds) search.allowed |= bound.methods;
    return nothing;
}

size_t PathTrie::match(const Node& node, size_t at, Search& search) const {
    const std::string_view path = search.path;
    if (at > path.size()) return pick(node.ends, search);
    const std::string_view segment = segment_at(path, at);
    const size_t next = at + segment.size() + 1;
    if (const auto child = node.children.find(segment); child != node.children.end()) {
        const size_t value = match(nodes_[child->second], next, search);
        if (value != nothing) return value;
    }
    if (node.parameter != nothing && !segment.empty()) {
        search.parts.push_back({at, segment.size()});
        const size_t value = match(nodes_[node.parameter], next, search);
        if (value != nothing) return value;
        search.parts.pop_back();
    }
    const size_t value = pick(node.wildcards, search);
    if (value != nothing) search.parts.push_back({at, path.size() - at});
    return value;
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
