// SPDX-License-Identifier: Apache-2.0
#include "invoke_body.hpp"

#include "json_fields.hpp"

#include <hks/auth/platform_token.hpp>
#include <hks/core/base64.hpp>
#include <hks/core/units.hpp>

#include <algorithm>
#include <array>

namespace hks::api {
namespace {

constexpr size_t most_headers = 100;
constexpr size_t most_header_bytes = 32 * 1024;
constexpr size_t longest_path = 8 * 1024;
constexpr std::array<std::string_view, 7> methods{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
// What is between two hops, or made by the platform, is not the caller's to say.
constexpr std::array<std::string_view, 9> dropped{"connection",
                                                  "keep-alive",
                                                  "proxy-authenticate",
                                                  "proxy-authorization",
                                                  "proxy-connection",
                                                  "te",
                                                  "trailer",
                                                  "transfer-encoding",
                                                  "upgrade"};

bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^`|~";  // '_' is left out as at the edge
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               marks.find(c) != marks.npos;
    });
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && byte != '\t') || byte == 0x7f;
    });
}

std::string lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

std::string encode(std::string_view text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            out.push_back(c);
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
    return out;
}

void read_headers(JsonFields& fields, InvokeBody& out) {
    size_t bytes = 0;
    for (auto& [name, values] : fields.multi_map("headers")) {
        if (!is_token(name)) {
            fields.wrong("headers." + name, "is not a header name");
            continue;
        }
        const std::string small = lower(name);
        if (std::find(dropped.begin(), dropped.end(), small) != dropped.end()) continue;
        for (std::string& value : values) {
            if (has_control(value)) fields.wrong("headers." + name, "has control characters");
            if (auth::may_hold_token(small) && auth::holds_platform_token(value)) continue;
            bytes += small.size() + value.size();
            out.headers.emplace_back(small, std::move(value));
        }
    }
    if (out.headers.size() > most_headers || bytes > most_header_bytes)
        fields.wrong("headers", "must be at most 100 and 32Ki together");
}

void read_query(JsonFields& fields, InvokeBody& out) {
    for (const auto& [name, values] : fields.multi_map("query"))
        for (const std::string& value : values) {
            if (!out.query.empty()) out.query += '&';
            out.query += encode(name) + "=" + encode(value);
        }
    if (out.query.size() > longest_path) fields.wrong("query", "must be at most 8Ki when it is encoded");
}

}  // namespace

Result<InvokeBody> read_invoke_body(std::string_view content_type, std::string_view text, size_t max_body) {
    auto object = parse_object(text, content_type);
    if (!object) return object.error();
    InvokeBody out;
    JsonFields fields(*object);
    if (const auto method = fields.text("method")) {
        out.method = *method;
        if (std::find(methods.begin(), methods.end(), out.method) == methods.end())
            fields.wrong("method", "must be GET, HEAD, POST, PUT, DELETE, PATCH or OPTIONS");
    }
    if (const auto path = fields.text("path")) {
        out.path = *path;
        if (!out.path.starts_with('/') || out.path.size() > longest_path || has_control(out.path) ||
            out.path.find_first_of("?#") != out.path.npos)
            fields.wrong("path",
                         "must begin with '/', be at most 8Ki and leave the query to the field query");
    }
    read_headers(fields, out);
    read_query(fields, out);
    out.version = static_cast<int>(fields.integer("version", 1, 1'000'000'000).value_or(0));
    bool too_large = false;
    if (const auto body = fields.text("body")) {
        if (auto bytes = base64_decode(*body)) {
            out.body = std::move(*bytes);
            too_large = out.body.size() > max_body;
        } else {
            fields.wrong("body", "must be base64 with padding, without line breaks");
        }
    }
    if (auto error = fields.finish("The call")) return *error;
    if (too_large)
        return Error(Errc::payload_too_large,
                     "The body for the function is larger than " + format_bytes(max_body) + ". Send less.");
    return out;
}

}  // namespace hks::api
