// SPDX-License-Identifier: Apache-2.0
#include "deploy_body.hpp"

#include "json_fields.hpp"
#include "multipart.hpp"

#include <hks/archive/folder.hpp>
#include <hks/core/base64.hpp>
#include <hks/core/json_gate.hpp>

#include <array>

namespace hks::api {
namespace {

using nlohmann::json;

/// A short form and the place in the spec that it stands for.
struct ShortForm {
    std::string_view name;
    std::string_view pointer;  ///< JSON pointer within the spec
    std::string_view path;     ///< how an error of the spec names it
};

constexpr std::array short_forms{
    ShortForm{"runtime", "/runtime", "spec.runtime"},
    ShortForm{"handler", "/handler", "spec.handler"},
    ShortForm{"memory", "/resources/memory", "spec.resources.memory"},
    ShortForm{"timeout", "/resources/timeout", "spec.resources.timeout"},
    ShortForm{"environment", "/environment/variables", "spec.environment.variables"},
};

/// Errors of the spec that a short form caused are told in the caller's words.
Error in_short_words(Error error) {
    for (FieldError& field : error.fields)
        for (const ShortForm& form : short_forms)
            if (field.field.starts_with(form.path))
                field.field = std::string(form.name) + field.field.substr(form.path.size());
    return error;
}

bool is_safe_filename(std::string_view name) {
    return !name.empty() && name.size() <= 255 &&
           name.find_first_of(std::string_view("/\\\0", 3)) == name.npos && name != "." && name != ".." &&
           is_utf8(name);
}

void set_code(DeployBody& out, std::string bytes, const std::string& filename) {
    out.has_code = true;
    if (archive::is_archive(bytes)) {
        out.source.archive = std::move(bytes);
    } else {
        out.source.file_content = std::move(bytes);
        out.source.filename = filename;
    }
}

void read_source_code(JsonFields& fields, DeployBody& out) {
    const auto code = fields.text("source_code");
    const auto filename = fields.text("filename");
    if (filename && !code) fields.wrong("filename", "needs source_code beside it");
    if (filename && !is_safe_filename(*filename))
        fields.wrong("filename", "must be the name of one file, without folders");
    if (!code) return;
    auto bytes = base64_decode(*code);
    if (!bytes || bytes->empty()) {
        fields.wrong("source_code",
                     "must be base64 (with padding, without line breaks) of a file or an archive");
        return;
    }
    set_code(out, std::move(*bytes), filename.value_or(""));
}

void read_spec_fields(JsonFields& fields, const FunctionSpec& base, const SpecLimits& limits,
                      DeployBody& out) {
    const json* spec = fields.any("spec");
    json merged;
    std::optional<json> with_short;
    for (const ShortForm& form : short_forms) {
        const json* value = fields.any(form.name);
        if (!value) continue;
        if (spec) {
            fields.wrong(form.name, "is said twice: leave it to spec");
            continue;
        }
        if (!with_short) with_short = spec_to_json(base);
        // Whoever writes a bare number for memory means megabytes, as on other platforms.
        const bool mebibytes = form.name == "memory" && value->is_number_unsigned();
        (*with_short)[json::json_pointer(std::string(form.pointer))] =
            mebibytes ? json(value->dump() + "Mi") : *value;
    }
    if (!spec && !with_short) return;
    auto parsed = spec_from_json(spec ? *spec : *with_short, limits);
    if (parsed) {
        out.spec = std::move(*parsed);
    } else {
        fields.add(spec ? parsed.error() : in_short_words(parsed.error()));
    }
}

Result<DeployBody> read_object(const json& object, const FunctionSpec& base, const SpecLimits& limits) {
    DeployBody out;
    JsonFields fields(object);
    out.name = fields.text("name").value_or("");
    out.labels = fields.text_map("labels");
    out.traffic = fields.boolean("traffic").value_or(true);
    read_spec_fields(fields, base, limits, out);
    read_source_code(fields, out);
    if (auto error = fields.finish("The function")) {
        const bool runtime_only = error->fields.size() == 1 &&
                                  error->fields[0].field.find("runtime") != std::string::npos &&
                                  error->fields[0].message != "is said twice: leave it to spec";
        if (runtime_only) error->code = Errc::invalid_runtime;
        return *error;
    }
    return out;
}

/// What the part `spec` holds: a whole function.yaml, the JSON body of this route, or a bare spec.
enum class SpecForm { manifest, request, bare };

SpecForm form_of(const std::string& text, json& parsed) {
    if (auto value = parse_json(text); value && value->is_object()) {
        if (value->contains("apiVersion") || value->contains("kind") || value->contains("metadata"))
            return SpecForm::manifest;
        parsed = std::move(*value);
        return parsed.contains("spec") || parsed.contains("name") ? SpecForm::request : SpecForm::bare;
    }
    // YAML: a manifest is told by its first words, at the beginning of a line.
    for (size_t at = 0; at < text.size();) {
        const std::string_view line = std::string_view(text).substr(at, text.find('\n', at) - at);
        for (const std::string_view word : {"apiVersion:", "kind:", "metadata:"})
            if (line.starts_with(word)) return SpecForm::manifest;
        at += line.size() + 1;
    }
    return SpecForm::bare;
}

Result<DeployBody> read_spec_part(const std::string& text, const FunctionSpec& base,
                                  const SpecLimits& limits) {
    json parsed;
    const SpecForm form = form_of(text, parsed);
    if (form == SpecForm::request) return read_object(parsed, base, limits);
    DeployBody out;
    if (form == SpecForm::manifest) {
        auto manifest = parse_manifest(text, limits);
        if (!manifest) return manifest.error();
        out.name = manifest->name;
        out.labels = manifest->labels;
        out.spec = std::move(manifest->spec);
        return out;
    }
    auto spec = parse_spec_text(text, limits);
    if (!spec) return spec.error();
    out.spec = std::move(*spec);
    return out;
}

Error form_error(const std::string& field, const std::string& message) {
    Error error(Errc::validation_error,
                "The form is not right: " + field + " " + message + ". Correct it and send it again.");
    error.fields.push_back({field, message});
    return error;
}

Result<void> read_form_fields(const std::vector<Part>& parts, DeployBody& out) {
    for (const Part& part : parts) {
        const std::string text(part.body);
        if (part.name == "name") {
            if (!out.name.empty() && out.name != text)
                return form_error("name", "is another than that of the spec");
            out.name = text;
        } else if (part.name == "traffic") {
            if (text != "true" && text != "false") return form_error("traffic", "must be true or false");
            out.traffic = text == "true";
        } else if (part.name == "labels") {
            auto labels = parse_json(text);
            if (!labels) return form_error("labels", "must be a JSON object of strings");
            const json wrapped{{"labels", *labels}};
            JsonFields fields(wrapped);
            out.labels = fields.text_map("labels");
            if (auto error = fields.finish("The form")) return *error;
        } else if (part.name == "archive") {
            if (part.body.empty()) return form_error("archive", "is empty");
            const std::string filename = is_safe_filename(part.filename) ? part.filename : "";
            set_code(out, text, filename);
        } else if (part.name != "spec") {
            return form_error(part.name,
                              "is not a part of this form; known are spec, archive, name, labels, traffic");
        }
    }
    return {};
}

Result<DeployBody> read_form(std::string_view content_type, std::string_view body, const FunctionSpec& base,
                             const SpecLimits& limits) {
    auto parts = parse_multipart(content_type, body);
    if (!parts) return parts.error();
    DeployBody out;
    if (const Part* spec = find_part(*parts, "spec")) {
        auto read = read_spec_part(std::string(spec->body), base, limits);
        if (!read) return read.error();
        out = std::move(*read);
        if (out.has_code && find_part(*parts, "archive"))
            return form_error("archive", "is there beside source_code");
    }
    if (auto read = read_form_fields(*parts, out); !read) return read.error();
    return out;
}

}  // namespace

Result<DeployBody> read_deploy_body(std::string_view content_type, std::string_view body,
                                    const FunctionSpec& base, const SpecLimits& limits) {
    if (media_type(content_type) == "multipart/form-data") return read_form(content_type, body, base, limits);
    auto object = parse_object(body, content_type);
    if (!object) return object.error();
    return read_object(*object, base, limits);
}

}  // namespace hks::api
