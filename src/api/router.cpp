// SPDX-License-Identifier: Apache-2.0
#include "router.hpp"

#include <hks/core/json_gate.hpp>

#include <algorithm>
#include <optional>

namespace hks::api {
namespace {

std::string_view next_segment(std::string_view& rest) {
    rest.remove_prefix(1);
    const size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, end);
    rest.remove_prefix(end);
    return segment;
}

bool matches(std::string_view pattern, std::string_view path,
             std::map<std::string, std::string, std::less<>>* parameters) {
    while (!pattern.empty() && !path.empty()) {
        if (path.front() != '/') return false;
        const std::string_view wanted = next_segment(pattern);
        const std::string_view given = next_segment(path);
        if (wanted.starts_with('{')) {
            if (given.empty()) return false;
            if (parameters) parameters->emplace(wanted.substr(1, wanted.size() - 2), given);
        } else if (wanted != given) {
            return false;
        }
    }
    return pattern.empty() && path.empty();
}

bool is_known(std::string_view names, std::string_view name) {
    while (!names.empty()) {
        const size_t end = std::min(names.find(' '), names.size());
        if (names.substr(0, end) == name) return true;
        names.remove_prefix(std::min(end + 1, names.size()));
    }
    return false;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::optional<std::string> decode(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out.push_back(text[i] == '+' ? ' ' : text[i]);
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    if (!is_utf8(out) || out.find('\0') != std::string::npos) return std::nullopt;
    return out;
}

}  // namespace

RouteMatch find_route(std::span<const Route> routes, std::string_view method, std::string_view path) {
    if (method == "HEAD") method = "GET";
    RouteMatch match;
    for (const Route& route : routes) {
        if (!matches(route.pattern, path, nullptr)) continue;
        if (route.method == method) {
            match.route = &route;
            match.allow.clear();
            matches(route.pattern, path, &match.parameters);
            return match;
        }
        if (!match.allow.empty()) match.allow += ", ";
        match.allow += route.method;
        if (route.method == "GET") match.allow += ", HEAD";
    }
    return match;
}

Result<std::map<std::string, std::string, std::less<>>> read_query(std::string_view raw,
                                                                   std::string_view known) {
    std::map<std::string, std::string, std::less<>> out;
    Error error(
        Errc::validation_error,
        "The query of the request is not what this route takes. Correct the fields named in details.");
    while (!raw.empty()) {
        const size_t end = std::min(raw.find('&'), raw.size());
        const std::string_view pair = raw.substr(0, end);
        raw.remove_prefix(std::min(end + 1, raw.size()));
        if (pair.empty()) continue;
        const size_t equals = std::min(pair.find('='), pair.size());
        const auto name = decode(pair.substr(0, equals));
        const auto value = decode(pair.substr(std::min(equals + 1, pair.size())));
        if (!name || !value) {
            error.fields.push_back({"query", "is not well-formed percent-encoded UTF-8"});
        } else if (!is_known(known, *name)) {
            error.fields.push_back(
                {*name, "is not a parameter of this route" +
                            (known.empty() ? std::string() : "; known are: " + std::string(known))});
        } else if (!out.emplace(*name, *value).second) {
            error.fields.push_back({*name, "is given twice"});
        }
    }
    if (!error.fields.empty()) return error;
    return out;
}

Error no_such_route(std::string_view method, std::string_view path) {
    std::string message = "There is no route " + std::string(method) + " " + std::string(path) + ". ";
    if (path == "/api" || path.starts_with("/api/")) {
        message += path.starts_with("/api/v1/") ? "/openapi.json lists the routes of this server."
                                                : "The API is below /api/v1; /openapi.json lists its routes.";
    } else {
        message +=
            "Functions answer at /functions/{name} or at the path of a trigger; /openapi.json lists the API.";
    }
    return {Errc::not_found, std::move(message)};
}

}  // namespace hks::api
