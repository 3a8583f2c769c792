// SPDX-License-Identifier: Apache-2.0
#include "deploy_body.hpp"

#include "json_fields.hpp"
#include "multipart.hpp"

#include <hks/archive/folder.hpp>
#include <hks/core/base64.hpp>
#include <hks/core/function_text.hpp>
#include <hks/core/ids.hpp>
#include <hks/core/json_gate.hpp>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <iterator>

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

std::optional<Error> read_object(const json& object, const FunctionSpec& base, const SpecLimits& limits,
                                 DeployBody& out) {
    JsonFields fields(object);
    out.name = fields.text("name").value_or("");
    out.labels = fields.text_map("labels");
    out.traffic = fields.boolean("traffic").value_or(true);
    read_spec_fields(fields, base, limits, out);
    read_source_code(fields, out);
    auto error = fields.finish("The function");
    const bool runtime_only = error && error->fields.size() == 1 &&
                              error->fields[0].field.find("runtime") != std::string::npos &&
                              error->fields[0].message != "is said twice: leave it to spec";
    if (runtime_only) error->code = Errc::invalid_runtime;
    return error;
}

/// What the part `spec` holds: a whole function.yaml, the JSON body of this route, or a bare spec.
enum class SpecForm { manifest, request, bare };

SpecForm form_of(const json& value) {
    const auto any_of = [&value](std::initializer_list<const char*> members) {
        return std::any_of(members.begin(), members.end(),
                           [&value](const char* member) { return value.contains(member); });
    };
    if (!value.is_object()) return SpecForm::bare;
    if (any_of({"apiVersion", "kind", "metadata"})) return SpecForm::manifest;
    const bool request = any_of(
        {"name", "spec", "labels", "traffic", "memory", "timeout", "source_code", "filename"});
    return request ? SpecForm::request : SpecForm::bare;
}

std::optional<Error> read_manifest(const std::string& text, const json& value, const SpecLimits& limits,
                                   DeployBody& out) {
    auto manifest = parse_manifest(text, limits);
    if (!manifest) {
        // What else is wrong with the request can be told only beside the name.
        const json metadata = value.value("metadata", json::object());
        if (metadata.is_object() && metadata.contains("name") && metadata["name"].is_string())
            out.name = metadata["name"].get<std::string>();
        return manifest.error();
    }
    out.name = manifest->name;
    out.workspace = manifest->workspace;
    out.labels = manifest->labels;
    out.spec = std::move(manifest->spec);
    return std::nullopt;
}

std::optional<Error> read_spec_part(const std::string& text, const FunctionSpec& base,
                                    const SpecLimits& limits, DeployBody& out) {
    auto parsed = parse_json(text);
    auto document = parsed ? Result<YamlDocument>(YamlDocument{*parsed, {}}) : read_function_text(text);
    const SpecForm form = document ? form_of(document->value) : SpecForm::bare;
    if (form == SpecForm::manifest) return read_manifest(text, document->value, limits, out);
    if (form == SpecForm::request) {
        auto error = read_object(document->value, base, limits, out);
        if (error) add_lines(document->lines, error->fields);
        return error;
    }
    auto spec = parse_spec_text(text, limits);
    if (!spec) return spec.error();
    out.spec = std::move(*spec);
    return std::nullopt;
}

void read_form_field(const Part& part, DeployBody& out, std::vector<FieldError>& wrong) {
    const std::string text(part.body);
    if (part.name == "name") {
        if (!out.name.empty() && out.name != text)
            wrong.push_back({"name", "is another than that of the spec"});
        else
            out.name = text;
    } else if (part.name == "traffic") {
        if (text != "true" && text != "false") wrong.push_back({"traffic", "must be true or false"});
        out.traffic = text == "true";
    } else if (part.name == "labels") {
        auto labels = parse_json(text);
        const json wrapped{{"labels", labels ? *labels : json(text)}};
        JsonFields fields(wrapped);
        out.labels = fields.text_map("labels");
        if (auto error = fields.finish("The form"))
            wrong.insert(wrong.end(), error->fields.begin(), error->fields.end());
    } else if (part.name == "archive") {
        if (part.body.empty()) return wrong.push_back({"archive", "is empty"});
        if (out.has_code) return wrong.push_back({"archive", "is there beside source_code"});
        set_code(out, text, is_safe_filename(part.filename) ? part.filename : "");
    } else if (part.name != "spec") {
        wrong.push_back(
            {part.name, "is not a part of this form; known are spec, archive, name, labels, traffic"});
    }
}

bool has_error(const std::vector<FieldError>& errors, std::initializer_list<std::string_view> fields) {
    return std::any_of(errors.begin(), errors.end(), [&](const FieldError& error) {
        return std::find(fields.begin(), fields.end(), error.field) != fields.end();
    });
}

/// What a function needs that is new.
void find_missing(const DeployBody& body, std::vector<FieldError>& errors) {
    if (!has_error(errors, {"name", "metadata.name"})) {
        if (body.name.empty())
            errors.push_back({"name", "is required"});
        else if (!is_valid_name(body.name))
            errors.push_back(
                {"name", "must be lower-case letters, digits and '-' in between, 63 at most"});
    }
    if (!body.has_code && !has_error(errors, {"source_code", "archive"}))
        errors.push_back({"source_code", "is required (or the part archive of a form)"});
}

/// `error` with what else was found.
std::optional<Error> with_fields(std::optional<Error> error, std::vector<FieldError> more) {
    // An error without a field is about the text as a whole: the rest could not be read.
    if (more.empty() || (error && error->fields.empty())) return error;
    std::vector<FieldError> all = error ? std::move(error->fields) : std::vector<FieldError>{};
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    Error out(Errc::validation_error, "The function is not right: " + all.front().field + " " +
                                          all.front().message + (all.size() > 1 ? ", and more" : "") +
                                          ". Correct the fields named in details and send it again.");
    out.fields = std::move(all);
    return out;
}

}  // namespace

Result<DeployBody> read_deploy_body(std::string_view content_type, std::string_view body,
                                    const FunctionSpec& base, const SpecLimits& limits, bool creating) {
    DeployBody out;
    std::optional<Error> error;
    std::vector<FieldError> more;
    if (media_type(content_type) == "multipart/form-data") {
        auto parts = parse_multipart(content_type, body);
        if (!parts) return parts.error();
        if (const Part* spec = find_part(*parts, "spec"))
            error = read_spec_part(std::string(spec->body), base, limits, out);
        for (const Part& part : *parts) read_form_field(part, out, more);
    } else {
        auto object = parse_object(body, content_type);
        if (!object) return object.error();
        error = read_object(*object, base, limits, out);
    }
    if (creating) {
        std::vector<FieldError> known = error ? error->fields : std::vector<FieldError>{};
        known.insert(known.end(), more.begin(), more.end());
        const size_t before = known.size();
        find_missing(out, known);
        more.insert(more.end(), known.begin() + static_cast<std::ptrdiff_t>(before), known.end());
    }
    if (error = with_fields(std::move(error), std::move(more)); error) return *error;
    return out;
}

}  // namespace hks::api
