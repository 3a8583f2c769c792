// SPDX-License-Identifier: Apache-2.0
#include "spec_reader.hpp"

#include <hks/core/function_text.hpp>
#include <hks/core/ids.hpp>
#include <hks/core/json_gate.hpp>

#include <algorithm>

namespace hks {
namespace {

using Json = nlohmann::json;

constexpr size_t most_labels = 64;

/// Where a manifest, or the body of a deploy, means text even if it looks like a number: version: 3.10 is not
/// 3.1.
bool is_text_field(const std::string& path) {
    std::string_view rest = path;
    if (rest.starts_with("metadata.") || rest.starts_with("labels.") || rest == "name") return true;
    if (rest.starts_with("spec.")) rest.remove_prefix(5);
    return rest.starts_with("environment.") || rest.starts_with("runtime") || rest == "handler" ||
           rest == "source.path" || rest.ends_with(".name");
}

void require_value(ObjectReader& reader, std::string_view key, std::string_view value) {
    std::string text;
    const size_t before = reader.findings().errors().size();
    const bool there = reader.read_text(key, text);
    if (there && text == value) return;
    if (there)
        reader.findings().add(reader.at(key), "must be " + std::string(value) + ", not \"" + text + "\"");
    else if (reader.findings().errors().size() == before)
        reader.findings().add(reader.at(key),
                              "is missing: write " + std::string(key) + ": " + std::string(value));
}

void read_metadata(ObjectReader& top, Manifest& manifest) {
    constexpr auto grammar = "must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit";
    auto metadata = top.child("metadata");
    Findings& findings = top.findings();
    const size_t before = findings.errors().size();
    if (metadata.read_text("name", manifest.name)) {
        if (!is_valid_name(manifest.name)) findings.add(metadata.at("name"), grammar);
    } else if (findings.errors().size() == before) {
        findings.add(metadata.at("name"), "is missing: give the function a name");
    }
    if (metadata.read_text("workspace", manifest.workspace) && !is_valid_name(manifest.workspace))
        findings.add(metadata.at("workspace"), grammar);
    manifest.labels = read_labels(metadata.read_map("labels"), metadata.at("labels"), findings);
    metadata.finish();
}

bool is_label_key(std::string_view key) {
    const auto letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    const auto inner = [&](char c) { return letter(c) || c == '.' || c == '_' || c == '-' || c == '/'; };
    return !key.empty() && key.size() <= 63 && letter(key.front()) && letter(key.back()) &&
           std::all_of(key.begin(), key.end(), inner);
}

}  // namespace

Result<YamlDocument> read_function_text(const std::string& text, const std::string& root) {
    if (!is_utf8(text))
        return Error(Errc::validation_error, "The text is not UTF-8. Save it as UTF-8 and try again.");
    if (text.find('\0') != std::string::npos)
        return Error(Errc::validation_error, "The text has a NUL character. Remove it and try again.");
    return read_yaml(text, root, is_text_field);
}

void add_lines(const std::map<std::string, int>& lines, std::vector<FieldError>& errors) {
    for (auto& error : errors) {
        for (std::string path = error.field; !path.empty();) {
            if (const auto found = lines.find(path); found != lines.end()) {
                error.line = found->second;
                break;
            }
            const auto cut = path.find_last_of(".[");
            path.resize(cut == std::string::npos ? 0 : cut);
        }
    }
    std::stable_sort(errors.begin(), errors.end(),
                     [](const FieldError& a, const FieldError& b) { return a.line < b.line; });
}

std::map<std::string, std::string> read_labels(const Json* labels, const std::string& path,
                                               Findings& findings) {
    std::map<std::string, std::string> out;
    if (!labels) return out;
    if (!labels->is_object() || labels->size() > most_labels) {
        findings.add(path, "must be an object of at most " + std::to_string(most_labels) + " texts");
        return out;
    }
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    for (const auto& [key, value] : labels->items()) {
        const auto at = join_path(path, std::string_view(key).substr(0, 100));
        if (!is_label_key(key)) findings.add(at, "a label's key must be 1 to 63 letters, digits and . _ - /");
        const std::string text = value.is_string() ? value.get<std::string>() : std::string();
        if (!value.is_string() || text.size() > 256 || std::any_of(text.begin(), text.end(), control))
            findings.add(at, "a label must be one line of text, at most 256 bytes");
        out[key] = text;
    }
    return out;
}

Result<std::map<std::string, std::string>> labels_from_json(const Json& labels, const std::string& prefix) {
    Findings findings;
    auto out = read_labels(labels.is_null() ? nullptr : &labels, prefix, findings);
    if (!findings.empty()) return std::move(findings).to_error();
    return out;
}

Result<Manifest> parse_manifest(const std::string& text, const SpecLimits& limits) {
    auto document = read_function_text(text);
    if (!document) return document.error();
    Findings findings;
    Manifest manifest;
    if (document->value.is_null())
        return Error(Errc::validation_error, "The manifest is empty. Begin it with apiVersion: hks.io/v1.");
    ObjectReader top(&document->value, {}, findings);
    if (document->value.is_object()) {
        require_value(top, "apiVersion", "hks.io/v1");
        require_value(top, "kind", "Function");
        read_metadata(top, manifest);
        const Json* spec = top.take("spec");
        manifest.spec = read_spec(spec ? *spec : Json::object(), limits, "spec", findings);
        top.finish();
    }
    if (findings.empty()) return manifest;
    add_lines(document->lines, findings.errors());
    return std::move(findings).to_error();
}

Result<FunctionSpec> parse_spec_text(const std::string& text, const SpecLimits& limits) {
    auto document = read_function_text(text, "spec");
    if (!document) return document.error();
    if (document->value.is_null()) document->value = Json::object();
    Findings findings;
    FunctionSpec spec = read_spec(document->value, limits, "spec", findings);
    if (findings.empty()) return spec;
    add_lines(document->lines, findings.errors());
    return std::move(findings).to_error();
}

}  // namespace hks
