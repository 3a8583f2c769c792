// SPDX-License-Identifier: Apache-2.0
#include "entry_name.hpp"

#include <hks/core/json_gate.hpp>

namespace hks::archive {
namespace {

constexpr size_t max_name_bytes = 4095;
constexpr size_t max_component_bytes = 255;

}  // namespace

std::string split_name(std::string_view name, std::vector<std::string>& components) {
    components.clear();
    if (name.empty()) return "is empty";
    if (name.size() > max_name_bytes) return "is too long";
    if (name.find('\0') != std::string_view::npos) return "contains a NUL byte";
    if (!is_utf8(name)) return "is not UTF-8";
    if (name.front() == '/') return "is absolute";
    while (!name.empty()) {
        const size_t end = std::min(name.find('/'), name.size());
        const std::string_view component = name.substr(0, end);
        name.remove_prefix(std::min(end + 1, name.size()));
        if (component.empty() || component == ".") continue;
        if (component == "..") return "leads out of the folder";
        if (component.size() > max_component_bytes) return "is too long";
        components.emplace_back(component);
    }
    return "";
}

bool link_stays_inside(std::string_view target, size_t folders) {
    if (target.empty() || target.front() == '/' || target.size() > max_name_bytes) return false;
    if (target.find('\0') != std::string_view::npos || !is_utf8(target)) return false;
    size_t up = 0;
    bool below = false;
    while (!target.empty()) {
        const size_t end = std::min(target.find('/'), target.size());
        const std::string_view component = target.substr(0, end);
        target.remove_prefix(std::min(end + 1, target.size()));
        if (component == "..") {
            if (below || ++up > folders) return false;
        } else if (!component.empty() && component != ".") {
            below = true;
        }
    }
    return true;
}

std::string printable(std::string_view name) {
    constexpr size_t limit = 120;
    static constexpr char hex[] = "0123456789abcdef";
    const bool text = is_utf8(name);
    std::string out;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !text)) {
            out += "\\x";
            out += hex[byte >> 4];
            out += hex[byte & 15];
        } else {
            // Never cut inside a character.
            if (out.size() >= limit && (byte & 0xC0) != 0x80) return out + "…";
            out += c;
        }
    }
    return out;
}

}  // namespace hks::archive
