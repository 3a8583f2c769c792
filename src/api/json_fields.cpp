// SPDX-License-Identifier: Apache-2.0
#include "json_fields.hpp"

#include "multipart.hpp"

#include <hks/core/json_gate.hpp>

namespace hks::api {

using nlohmann::json;

JsonFields::JsonFields(const json& object, std::string prefix) : object_(object), prefix_(std::move(prefix)) {
    if (!object_.is_object()) errors_.push_back({prefix_.empty() ? "body" : prefix_, "must be an object"});
}

std::string JsonFields::path(std::string_view name) const {
    return prefix_.empty() ? std::string(name) : prefix_ + "." + std::string(name);
}

void JsonFields::wrong(std::string_view name, std::string message) {
    errors_.push_back({path(name), std::move(message)});
}

void JsonFields::add(const Error& error) {
    if (error.fields.empty()) errors_.push_back({prefix_.empty() ? "body" : prefix_, error.message});
    errors_.insert(errors_.end(), error.fields.begin(), error.fields.end());
}

const json* JsonFields::any(std::string_view name) {
    known_.emplace(name);
    if (!object_.is_object()) return nullptr;
    const auto it = object_.find(name);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
}

bool JsonFields::has(std::string_view name) {
    return any(name) != nullptr;
}

std::optional<std::string> JsonFields::text(std::string_view name) {
    const json* value = any(name);
    if (!value) return std::nullopt;
    if (!value->is_string()) {
        wrong(name, "must be a string");
        return std::nullopt;
    }
    return value->get<std::string>();
}

std::string JsonFields::required_text(std::string_view name) {
    if (!any(name)) {
        wrong(name, "is required");
        return "";
    }
    return text(name).value_or("");
}

std::optional<bool> JsonFields::boolean(std::string_view name) {
    const json* value = any(name);
    if (!value) return std::nullopt;
    if (!value->is_boolean()) {
        wrong(name, "must be true or false");
        return std::nullopt;
    }
    return value->get<bool>();
}

std::optional<int64_t> JsonFields::integer(std::string_view name, int64_t minimum, int64_t maximum) {
    const json* value = any(name);
    if (!value) return std::nullopt;
    const bool fits =
        value->is_number_integer() &&
        !(value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(maximum)) &&
        value->get<int64_t>() >= minimum && value->get<int64_t>() <= maximum;
    if (!fits) {
        wrong(name, "must be an integer from " + std::to_string(minimum) + " to " + std::to_string(maximum));
        return std::nullopt;
    }
    return value->get<int64_t>();
}

std::optional<std::map<std::string, std::string>> JsonFields::text_map(std::string_view name) {
    const json* value = any(name);
    if (!value) return std::nullopt;
    if (!value->is_object()) {
        wrong(name, "must be an object of strings");
        return std::nullopt;
    }
    std::map<std::string, std::string> out;
    for (const auto& [key, member] : value->items()) {
        if (member.is_string()) {
            out.emplace(key, member.get<std::string>());
        } else {
            wrong(std::string(name) + "." + key, "must be a string");
        }
    }
    return out;
}

std::optional<std::vector<std::string>> JsonFields::text_list(std::string_view name) {
    const json* value = any(name);
    if (!value) return std::nullopt;
    std::vector<std::string> out;
    bool right = value->is_array();
    if (right)
        for (const json& item : *value) {
            right = right && item.is_string();
            if (item.is_string()) out.push_back(item.get<std::string>());
        }
    if (!right) wrong(name, "must be a list of strings");
    return out;
}

std::vector<std::pair<std::string, std::vector<std::string>>> JsonFields::multi_map(std::string_view name) {
    std::vector<std::pair<std::string, std::vector<std::string>>> out;
    const json* value = any(name);
    if (!value) return out;
    if (!value->is_object()) {
        wrong(name, "must be an object whose members are strings or lists of strings");
        return out;
    }
    for (const auto& [key, member] : value->items()) {
        std::vector<std::string> values;
        bool right = member.is_string() || member.is_array();
        if (member.is_string()) values.push_back(member.get<std::string>());
        if (member.is_array())
            for (const json& item : member) {
                right = right && item.is_string();
                if (item.is_string()) values.push_back(item.get<std::string>());
            }
        if (!right) wrong(std::string(name) + "." + key, "must be a string or a list of strings");
        out.emplace_back(key, std::move(values));
    }
    return out;
}

std::optional<Error> JsonFields::finish(const std::string& what) {
    if (object_.is_object())
        for (const auto& [key, value] : object_.items())
            if (!known_.contains(key)) wrong(key, "is not a field of this request");
    if (errors_.empty()) return std::nullopt;
    Error error(Errc::validation_error, what + " is not right: " + errors_.front().field + " " +
                                            errors_.front().message +
                                            (errors_.size() > 1 ? ", and more. " : ". ") +
                                            "Correct the fields named in details and send it again.");
    error.fields = std::move(errors_);
    errors_.clear();
    return error;
}

Result<json> parse_object(std::string_view body, std::string_view content_type) {
    const std::string type = media_type(content_type);
    if (!type.empty() && type != "application/json" && type != "application/merge-patch+json" &&
        type != "application/x-www-form-urlencoded")
        return Error(Errc::validation_error, "The body is " + type + ". Send it as application/json.");
    if (body.empty()) return json::object();
    auto value = parse_json(body);
    if (!value) return value.error();
    if (!value->is_object())
        return Error(Errc::validation_error,
                     "The body must be a JSON object. Send {…} with the fields of the request.");
    return value;
}

}  // namespace hks::api
