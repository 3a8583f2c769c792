// SPDX-License-Identifier: Apache-2.0
#include <hks/core/function.hpp>
#include <hks/core/json_gate.hpp>

#include <algorithm>
#include <array>

namespace hks {
namespace {

constexpr size_t longest_path = 1024;

constexpr std::array<std::string_view, 9> reserved{
    "api", "functions", "workspaces", "healthz", "readyz", "metrics", "openapi.json", "schema", "ui"};

Error wrong(std::string message) {
    return {Errc::validation_error, std::move(message)};
}

bool is_parameter_name(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    const auto inner = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
    return !name.empty() && name.size() <= 64 && letter(name[0]) &&
           std::all_of(name.begin(), name.end(), inner);
}

/// A segment is matched against the decoded path, so it is written decoded.
Result<void> check_literal(std::string_view segment) {
    for (const char c : segment) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '{' || c == '}')
            return wrong("a parameter like {id} must be a whole segment between two slashes");
        if (c == '*') return wrong("* must be a whole segment, and the last one, as in /files/*");
        if (byte <= 0x20 || byte == 0x7f || c == '?' || c == '#' || c == '\\' || c == '%')
            return wrong("must not contain spaces, control characters, ?, #, % or \\");
    }
    return {};
}

Result<void> check_segment(std::string_view segment, bool last, std::vector<std::string_view>& parameters) {
    if (segment.empty()) return wrong("must not have an empty segment, nor end with /");
    if (segment == "." || segment == "..") return wrong("must not contain . or .. as a segment");
    if (segment == "*") {
        if (last) return {};
        return wrong("* is allowed as the last segment only, as in /files/*");
    }
    if (segment.front() != '{' || segment.back() != '}') return check_literal(segment);
    const auto name = segment.substr(1, segment.size() - 2);
    if (!is_parameter_name(name))
        return wrong("a parameter's name must be letters, digits and _, as in {id}, not " +
                     std::string(segment));
    if (std::find(parameters.begin(), parameters.end(), name) != parameters.end())
        return wrong("the parameter " + std::string(segment) + " is there twice");
    parameters.push_back(name);
    return {};
}

}  // namespace

Result<void> check_trigger_path(std::string_view path) {
    if (!path.starts_with('/')) return wrong("must begin with /");
    if (path.size() > longest_path)
        return wrong("must have at most " + std::to_string(longest_path) + " characters");
    if (!is_utf8(path)) return wrong("must be UTF-8 text");
    if (path == "/") return {};
    std::vector<std::string_view> parameters;
    std::string_view rest = path.substr(1);
    const auto first = rest.substr(0, rest.find('/'));
    if (std::find(reserved.begin(), reserved.end(), first) != reserved.end())
        return wrong("must not begin with /" + std::string(first) + ", which belongs to the platform");
    while (true) {
        const auto slash = rest.find('/');
        const bool last = slash == std::string_view::npos;
        const auto checked = check_segment(rest.substr(0, slash), last, parameters);
        if (!checked || last) return checked;
        rest.remove_prefix(slash + 1);
    }
}

}  // namespace hks
