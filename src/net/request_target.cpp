// SPDX-License-Identifier: Apache-2.0
#include "net/request_target.hpp"

#include "net/characters.hpp"

namespace hks::net {

namespace {

constexpr Refusal bad_target{400,
                             "The request target is neither a path nor a whole URL. Send it as /path?query."};
constexpr Refusal bad_escape{400,
                             "The path has a broken %-escape. Write two hexadecimal digits after every %."};
constexpr Refusal bad_character{400, "The path has an escaped control character. Leave it out."};
constexpr Refusal above_root{400, "The path leads above the root. Take out the extra '..' segments."};

bool is_valid_port(std::string_view text) {
    if (text.empty() || text.size() > 5) return false;
    unsigned port = 0;
    for (char c : text) {
        if (!is_class(c, class_digit)) return false;
        port = port * 10 + static_cast<unsigned>(c - '0');
    }
    return port >= 1 && port <= 65535;
}

bool is_valid_ipv6(std::string_view text) {
    size_t colons = 0;
    for (char c : text) {
        if (c == ':')
            ++colons;
        else if (!is_class(c, class_hex) && c != '.')
            return false;
    }
    return colons >= 2 && text.size() <= 45;
}

bool needs_work(std::string_view raw) {
    char previous = 0;
    for (char c : raw) {
        if (c == '%' || (previous == '/' && (c == '/' || c == '.'))) return true;
        previous = c;
    }
    return false;
}

/// Drops the last segment of `out`, which ends in '/'; false when there is none.
bool pop_segment(std::string& out) {
    if (out.size() <= 1) return false;
    out.pop_back();
    out.resize(out.rfind('/') + 1);
    return true;
}

/// Ends the segment that begins at `start`: resolves "", "." and "..". `slash`: one follows.
bool end_segment(std::string& out, size_t start, bool slash) {
    const std::string_view segment = std::string_view(out).substr(start);
    if (segment.empty()) return true;
    if (segment == ".") {
        out.resize(start);
    } else if (segment == "..") {
        out.resize(start);
        return pop_segment(out);
    } else if (slash) {
        out += '/';
    }
    return true;
}

}  // namespace

bool is_valid_authority(std::string_view text) {
    if (text.empty() || text.size() > 261) return false;
    if (text.front() == '[') {
        const size_t close = text.find(']');
        if (close == std::string_view::npos || !is_valid_ipv6(text.substr(1, close - 1))) return false;
        const std::string_view rest = text.substr(close + 1);
        return rest.empty() || (rest.front() == ':' && is_valid_port(rest.substr(1)));
    }
    const size_t colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    if (name.empty() || !all_of_class(name, class_host)) return false;
    return colon == std::string_view::npos || is_valid_port(text.substr(colon + 1));
}

Refusal split_target(std::string_view target, bool is_options, TargetParts& parts) {
    parts = {};
    if (target == "*") {
        if (!is_options) return bad_target;
        parts.raw_path = target;
        return {};
    }
    std::string_view rest = target;
    if (rest.empty()) return bad_target;
    if (rest.front() != '/') {
        const size_t scheme_end = rest.find("://");
        if (scheme_end == std::string_view::npos) return bad_target;
        const std::string_view scheme = rest.substr(0, scheme_end);
        if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https"))
            return bad_target;
        rest.remove_prefix(scheme_end + 3);
        const size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
        parts.authority = rest.substr(0, authority_end);
        if (!is_valid_authority(parts.authority)) return bad_target;
        rest.remove_prefix(authority_end);
    }
    const size_t question = rest.find('?');
    parts.raw_path = rest.substr(0, question);
    if (parts.raw_path.empty()) parts.raw_path = "/";
    if (question != std::string_view::npos) parts.query = rest.substr(question + 1);
    return {};
}

Refusal normalise_path(std::string_view raw, std::string& storage, std::string_view& path) {
    if (!needs_work(raw)) {
        path = raw;
        return {};
    }
    storage.assign(1, '/');
    size_t segment = 1;
    for (size_t i = 1; i < raw.size(); ++i) {
        char c = raw[i];
        if (c == '/') {
            if (!end_segment(storage, segment, true)) return above_root;
            segment = storage.size();
            continue;
        }
        if (c == '%') {
            const int high = i + 2 < raw.size() ? hex_value(raw[i + 1]) : -1;
            const int low = high >= 0 ? hex_value(raw[i + 2]) : -1;
            if (low < 0) return bad_escape;
            c = static_cast<char>(high * 16 + low);
            i += 2;
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return bad_character;
            if (c == '/' || c == '\\') {
                storage += c == '/' ? "%2F" : "%5C";
                continue;
            }
        }
        storage += c;
    }
    if (!end_segment(storage, segment, false)) return above_root;
    path = storage;
    return {};
}

}  // namespace hks::net
