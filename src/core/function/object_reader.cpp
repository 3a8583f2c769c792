// SPDX-License-Identifier: Apache-2.0
#include "object_reader.hpp"

#include <hks/core/suggest.hpp>
#include <hks/core/units.hpp>

#include <algorithm>
#include <utility>

namespace hks {
namespace {

/// "30s" and 30 are both fine where a quantity is wanted: the text that the units' parsers read; "" for other
/// kinds.
std::string quantity_text(const nlohmann::json& value) {
    if (value.is_string()) return value.get<std::string>();
    return value.is_number() ? value.dump() : std::string();
}

std::string between(const std::string& low, const std::string& high, const std::string& value) {
    return "must be between " + low + " and " + high + ", not " + value;
}

std::string wrong_kind(const nlohmann::json& value, std::string_view wanted) {
    return "must be " + std::string(wanted) + ", not " + value.type_name();
}

}  // namespace

void Findings::add(std::string field, std::string message) {
    errors_.push_back({std::move(field), std::move(message), 0});
}

void Findings::add_runtime(std::string field, std::string message) {
    add(std::move(field), std::move(message));
    ++runtime_errors_;
}

Error Findings::to_error() && {
    const auto& first = errors_.front();
    std::string message = first.field;
    if (first.line > 0) message += (message.empty() ? "line " : " (line ") + std::to_string(first.line);
    if (first.line > 0 && !first.field.empty()) message += ')';
    message += message.empty() ? "The text " : first.field.empty() ? ": the text " : ": ";
    message += first.message;
    if (const size_t more = errors_.size() - 1; more == 1)
        message += "; 1 more field is wrong";
    else if (more > 1)
        message += "; " + std::to_string(more) + " more fields are wrong";
    message += errors_.size() == 1 ? ". Correct it and try again." : ". Correct them and try again.";

    Error error(runtime_errors_ == errors_.size() ? Errc::invalid_runtime : Errc::validation_error,
                std::move(message));
    error.fields = std::move(errors_);
    return error;
}

std::string join_path(const std::string& parent, std::string_view key) {
    return parent.empty() ? std::string(key) : parent + "." + std::string(key);
}

std::string join_path(const std::string& parent, size_t index) {
    return parent + "[" + std::to_string(index) + "]";
}

ObjectReader::ObjectReader(const Json* value, std::string path, Findings& findings)
    : path_(std::move(path)), findings_(findings) {
    if (!value) return;
    if (value->is_object())
        object_ = value;
    else
        findings_.add(path_, wrong_kind(*value, "an object"));
}

const ObjectReader::Json* ObjectReader::take(std::string_view key) {
    known_.push_back(key);
    if (!object_) return nullptr;
    const auto found = object_->find(std::string(key));
    return found == object_->end() || found->is_null() ? nullptr : &*found;
}

bool ObjectReader::read_text(std::string_view key, std::string& out) {
    const Json* value = take(key);
    if (!value) return false;
    if (!value->is_string()) {
        findings_.add(at(key), wrong_kind(*value, "text"));
        return false;
    }
    const auto& text = value->get_ref<const std::string&>();
    if (text.find('\0') != std::string::npos) {
        findings_.add(at(key), "must not contain a NUL character");
        return false;
    }
    out = text;
    return true;
}

bool ObjectReader::read_flag(std::string_view key, bool& out) {
    const Json* value = take(key);
    if (!value) return false;
    if (!value->is_boolean()) {
        findings_.add(at(key), wrong_kind(*value, "true or false"));
        return false;
    }
    out = value->get<bool>();
    return true;
}

bool ObjectReader::read_count(std::string_view key, uint32_t& out, uint32_t low, uint32_t high) {
    const Json* value = take(key);
    if (!value) return false;
    if (!value->is_number_integer()) {
        findings_.add(at(key), wrong_kind(*value, "a whole number"));
        return false;
    }
    const bool negative = !value->is_number_unsigned() && value->get<int64_t>() < 0;
    const uint64_t number = negative ? 0 : value->get<uint64_t>();
    if (negative || number < low || number > high) {
        findings_.add(at(key), between(std::to_string(low), std::to_string(high), value->dump()));
        return false;
    }
    out = static_cast<uint32_t>(number);
    return true;
}

bool ObjectReader::read_bytes(std::string_view key, uint64_t& out, uint64_t low, uint64_t high) {
    const Json* value = take(key);
    if (!value) return false;
    const auto text = quantity_text(*value);
    const auto bytes = parse_bytes(text);
    if (!bytes) {
        findings_.add(at(key), "must be a size like 128Mi or 1Gi");
        return false;
    }
    if (*bytes < low || *bytes > high) {
        auto message = between(format_bytes(low), format_bytes(high), format_bytes(*bytes));
        const bool bare = text.find_first_not_of("0123456789") == std::string::npos;
        if (bare && *bytes < low) message += " bytes (" + text + "Mi?)";
        findings_.add(at(key), std::move(message));
        return false;
    }
    out = *bytes;
    return true;
}

bool ObjectReader::read_duration(std::string_view key, std::chrono::milliseconds& out,
                                 std::chrono::milliseconds low, std::chrono::milliseconds high) {
    const Json* value = take(key);
    if (!value) return false;
    const auto duration = parse_duration(quantity_text(*value));
    if (!duration) {
        findings_.add(at(key), "must be a duration like 30s or 500ms");
        return false;
    }
    if (*duration < low || *duration > high) {
        findings_.add(at(key),
                      between(format_duration(low), format_duration(high), format_duration(*duration)));
        return false;
    }
    out = *duration;
    return true;
}

bool ObjectReader::read_cpu(std::string_view key, uint32_t& out) {
    constexpr uint32_t most = 1'024'000;
    const Json* value = take(key);
    if (!value) return false;
    const auto cpu = parse_cpu(quantity_text(*value));
    if (!cpu) {
        findings_.add(at(key), "must be an amount of CPU like 100m, 0.5 or 2");
        return false;
    }
    if (*cpu < 1 || *cpu > most) {
        findings_.add(at(key), between("1m", format_cpu(most), format_cpu(*cpu)));
        return false;
    }
    out = *cpu;
    return true;
}

void ObjectReader::read_only_value(std::string_view key, std::string_view value) {
    std::string text;
    if (read_text(key, text) && text != value)
        findings_.add(at(key), "this server knows \"" + std::string(value) + "\" only, not \"" + text + "\"");
}

const ObjectReader::Json* ObjectReader::read_map(std::string_view key) {
    const Json* value = take(key);
    if (!value || value->is_object()) return value;
    findings_.add(at(key), wrong_kind(*value, "an object"));
    return nullptr;
}

const ObjectReader::Json* ObjectReader::read_list(std::string_view key, size_t longest) {
    const Json* value = take(key);
    if (!value) return nullptr;
    if (!value->is_array()) {
        findings_.add(at(key), wrong_kind(*value, "a list"));
        return nullptr;
    }
    if (value->size() > longest) {
        findings_.add(at(key), "must have at most " + std::to_string(longest) + " entries, not " +
                                   std::to_string(value->size()));
        return nullptr;
    }
    return value;
}

void ObjectReader::finish() {
    if (!object_) return;
    for (const auto& [key, value] : object_->items()) {
        if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
        const auto near = closest_name(key, known_);
        findings_.add(at(std::string_view(key).substr(0, 100)),
                      near.empty()
                          ? std::string("this server does not know this field")
                          : "this server does not know this field (did you mean " + std::string(near) + "?)");
    }
}

}  // namespace hks
