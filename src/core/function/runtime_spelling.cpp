// SPDX-License-Identifier: Apache-2.0
#include "spec_reader.hpp"

#include <hks/core/suggest.hpp>

#include <algorithm>
#include <array>

namespace hks {
namespace {

struct Spelling {
    std::string_view prefix;
    std::string_view name;
};

// Longest first where one is the beginning of another.
constexpr std::array prefixes{Spelling{"python", "python"}, Spelling{"nodejs", "node"},
                              Spelling{"node", "node"}};

// Only for "did you mean". Without versions: which of them there are, the host alone knows.
constexpr std::array<std::string_view, 4> usual{"python", "python3", "node", "nodejs"};

bool is_number(std::string_view text) {
    return !text.empty() && text.size() <= 3 && (text.size() == 1 || text[0] != '0') &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Takes the part in front of the next dot off `rest`.
std::string_view take_part(std::string_view& rest) {
    const auto dot = rest.find('.');
    const auto part = rest.substr(0, dot);
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
    return part;
}

bool is_number_or_x(std::string_view text) {
    return text.empty() || text == "x" || is_number(text);
}

/// Python 2 and whatever comes after 3 are versions like others: whoever knows the host refuses them with the
/// list of what there is.
bool python_version(std::string_view version, std::string& out) {
    std::string_view rest = version;
    const auto major = take_part(rest);
    const bool joined = major.size() == 2 || major.size() == 3;
    if (joined && version == major && (major[0] == '2' || major[0] == '3') && is_number(major.substr(1))) {
        out = std::string(major.substr(0, 1)) + "." + std::string(major.substr(1));  // "39", "311"
        return true;
    }
    if (major.size() != 1 || !is_number(major) || major == "0") return false;
    const auto minor = take_part(rest);
    const auto patch = take_part(rest);
    if (!rest.empty() || !is_number_or_x(minor) || !is_number_or_x(patch)) return false;
    if (is_number(minor))
        out = std::string(major) + "." + std::string(minor);
    else
        out = major == "3" ? std::string() : std::string(major);
    return true;
}

bool node_version(std::string_view version, std::string& out) {
    std::string_view rest = version;
    const auto major = take_part(rest);
    const auto minor = take_part(rest);
    const auto patch = take_part(rest);
    if (!is_number(major) || major == "0" || !rest.empty() || !is_number_or_x(minor) ||
        !is_number_or_x(patch))
        return false;
    out = std::string(major);
    return true;
}

}  // namespace

bool normalise_runtime_version(std::string_view name, std::string_view version, std::string& out) {
    out.clear();
    if (version.empty()) return true;
    if (version.back() == '.' || version.find("..") != std::string_view::npos) return false;
    return name == "python" ? python_version(version, out) : node_version(version, out);
}

Result<RuntimeSpec> parse_runtime(std::string_view spelling) {
    std::string text(spelling.substr(0, 64));
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    for (const auto& [prefix, name] : prefixes) {
        if (!text.starts_with(prefix)) continue;
        RuntimeSpec runtime{std::string(name), {}};
        if (normalise_runtime_version(name, std::string_view(text).substr(prefix.size()), runtime.version))
            return runtime;
    }
    std::string message =
        "\"" + std::string(spelling.substr(0, 64)) + "\" is not a runtime that this server knows. ";
    const auto digits = std::min(text.find_first_of("0123456789"), text.size());
    if (const auto near = closest_name(std::string_view(text).substr(0, digits), usual); !near.empty())
        message += "Did you mean " + std::string(near) + "? ";
    message += "Use python or node, with a version when it matters: python3.11, nodejs20.x.";
    return Error(Errc::invalid_runtime, std::move(message));
}

}  // namespace hks
