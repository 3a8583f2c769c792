// SPDX-License-Identifier: Apache-2.0
#include "printer.hpp"

#include <hks/core/clock.hpp>

#include <yaml-cpp/yaml.h>

#include <cstdio>
#include <iostream>

namespace hks::cli {

namespace {

constexpr std::pair<const char*, Output> output_names[] = {{"table", Output::table},
                                                           {"wide", Output::wide},
                                                           {"json", Output::json},
                                                           {"yaml", Output::yaml},
                                                           {"name", Output::name}};

void emit(YAML::Emitter& out, const nlohmann::json& value) {
    if (value.is_object()) {
        out << YAML::BeginMap;
        for (const auto& [key, member] : value.items()) {
            out << YAML::Key << key << YAML::Value;
            emit(out, member);
        }
        out << YAML::EndMap;
    } else if (value.is_array()) {
        out << YAML::BeginSeq;
        for (const auto& item : value) emit(out, item);
        out << YAML::EndSeq;
    } else if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        // Quoted when YAML would read it back as something that is not a string.
        if (text.empty() || text.find_first_not_of("0123456789.:-+eE") == std::string::npos || text == "true" ||
            text == "false" || text == "null" || text == "yes" || text == "no")
            out << YAML::DoubleQuoted;
        out << text;
    } else {
        out << value.dump();
    }
}

size_t display_width(const std::string& text) {
    size_t width = 0;
    for (unsigned char c : text)
        if ((c & 0xC0) != 0x80) ++width;
    return width;
}

}  // namespace

bool output_from_text(const std::string& text, Output& out) {
    for (const auto& [name, value] : output_names) {
        if (text == name) {
            out = value;
            return true;
        }
    }
    return false;
}

std::string output_name(Output output) {
    for (const auto& [name, value] : output_names)
        if (value == output) return name;
    return "";
}

std::string to_yaml(const nlohmann::json& value) {
    YAML::Emitter out;
    emit(out, value);
    return out.c_str();
}

std::string text(const nlohmann::json& object, const char* key) {
    auto found = object.find(key);
    if (found == object.end() || found->is_null()) return "";
    return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string age(const nlohmann::json& object, const char* key) {
    WallTime time;
    std::string value = text(object, key);
    if (value.empty() || !from_rfc3339(value, time)) return value;
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now() - time).count();
    if (seconds < 0) seconds = 0;
    if (seconds < 120) return std::to_string(seconds) + "s ago";
    if (seconds < 7200) return std::to_string(seconds / 60) + "m ago";
    if (seconds < 172800) return std::to_string(seconds / 3600) + "h ago";
    return std::to_string(seconds / 86400) + "d ago";
}

void Printer::list(const nlohmann::json& items, const std::vector<Column>& columns,
                   const std::string& name_key) const {
    if (output_ == Output::json) {
        std::cout << items.dump(2) << "\n";
        return;
    }
    if (output_ == Output::yaml) {
        std::cout << to_yaml(items) << "\n";
        return;
    }
    if (output_ == Output::name) {
        for (const auto& item : items) std::cout << text(item, name_key.c_str()) << "\n";
        return;
    }
    std::vector<std::vector<std::string>> rows;
    std::vector<size_t> widths;
    std::vector<const Column*> shown;
    for (const Column& column : columns)
        if (!column.wide_only || output_ == Output::wide) shown.push_back(&column);
    rows.emplace_back();
    for (const Column* column : shown) rows.back().push_back(column->title);
    for (const auto& item : items) {
        rows.emplace_back();
        for (const Column* column : shown) rows.back().push_back(column->cell(item));
    }
    widths.resize(shown.size());
    for (const auto& row : rows)
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
    for (const auto& row : rows) {
        std::string line;
        for (size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line += std::string(widths[i] - display_width(row[i]) + 2, ' ');
        }
        while (line.ends_with(' ')) line.pop_back();
        std::cout << line << "\n";
    }
}

void Printer::object(const nlohmann::json& object, const std::string& name_key,
                     const std::function<void()>& human) const {
    if (output_ == Output::json) {
        std::cout << object.dump(2) << "\n";
    } else if (output_ == Output::yaml) {
        std::cout << to_yaml(object) << "\n";
    } else if (output_ == Output::name) {
        std::cout << text(object, name_key.c_str()) << "\n";
    } else {
        human();
    }
}

void Printer::progress(const std::string& line) const {
    if (quiet_) return;
    std::cerr << line << std::endl;
}

int Printer::error(const Error& error) {
    std::string code(code_name(error.code));
    for (const auto& [key, value] : error.details)
        if (key == "code" && !value.empty()) code = value;
    if (error.code == Errc::unavailable) {
        std::cerr << "error: " << error.message << std::endl;
        return 3;
    }
    std::cerr << "error: " << error.message << " [" << code << "]" << std::endl;
    for (const FieldError& field : error.fields) {
        std::cerr << "  " << field.field;
        if (field.line > 0) std::cerr << " (line " << field.line << ")";
        std::cerr << ": " << field.message << std::endl;
    }
    return 1;
}

}  // namespace hks::cli
