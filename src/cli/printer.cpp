// SPDX-License-Identifier: Apache-2.0
#include "printer.hpp"

#include <hks/core/clock.hpp>

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <iostream>

namespace hks::cli {

namespace {

constexpr std::pair<const char*, Output> output_names[] = {{"table", Output::table},
                                                           {"wide", Output::wide},
                                                           {"json", Output::json},
                                                           {"yaml", Output::yaml},
                                                           {"name", Output::name}};

/// True when YAML (1.2, or 1.1 as many read it) would make something else of the unquoted text.
bool needs_quotes(const std::string& text) {
    std::string lower;
    for (char c : text) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    static constexpr std::string_view words[] = {"",    "~", "null", "true", "false", "yes",   "no",   "on",
                                                 "off", ".inf", "+.inf", "-.inf", ".nan"};
    return std::find(std::begin(words), std::end(words), lower) != std::end(words) ||
           lower.find_first_not_of("0123456789.:-+e_") == std::string::npos || lower.starts_with("0x") ||
           lower.starts_with("0o");
}

void emit_text(YAML::Emitter& out, const std::string& text) {
    if (needs_quotes(text)) out << YAML::DoubleQuoted;
    out << text;
}

void emit(YAML::Emitter& out, const nlohmann::json& value) {
    if (value.is_object()) {
        out << YAML::BeginMap;
        for (const auto& [key, member] : value.items()) {
            out << YAML::Key;
            emit_text(out, key);
            out << YAML::Value;
            emit(out, member);
        }
        out << YAML::EndMap;
    } else if (value.is_array()) {
        out << YAML::BeginSeq;
        for (const auto& item : value) emit(out, item);
        out << YAML::EndSeq;
    } else if (value.is_string()) {
        emit_text(out, value.get_ref<const std::string&>());
    } else if (value.is_null()) {
        out << YAML::Null;  // as a text it would be quoted
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

std::string printable(std::string_view text, std::string_view indent) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    const auto escape = [&out](unsigned char c) {
        out += "\\x";
        out += digits[c >> 4];
        out += digits[c & 15];
    };
    for (size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
        if (c == '\n') {
            out += '\n';
            out += indent;
        } else if ((c < 0x20 && c != '\t') || c == 0x7f) {
            escape(c);
        } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
            escape(next);  // U+0080 to U+009F in UTF-8: terminals obey them too
            ++i;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string to_yaml(const nlohmann::json& value) {
    YAML::Emitter out;
    out.SetNullFormat(YAML::LowerNull);
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
        std::cout << items.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
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
        for (const Column* column : shown) rows.back().push_back(printable(column->cell(item)));
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
        std::cout << object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
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
    std::cerr << printable(line) << std::endl;
}

int Printer::error(const Error& error) {
    std::string code(code_name(error.code));
    for (const auto& [key, value] : error.details)
        if (key == "code" && !value.empty()) code = value;
    if (error.code == Errc::unavailable) {
        std::cerr << "error: " << printable(error.message) << std::endl;
        return 3;
    }
    std::cerr << "error: " << printable(error.message) << " [" << code << "]" << std::endl;
    for (const FieldError& field : error.fields) {
        std::cerr << "  " << printable(field.field);
        if (field.line > 0) std::cerr << " (line " << field.line << ")";
        std::cerr << ": " << printable(field.message) << std::endl;
    }
    return 1;
}

}  // namespace hks::cli
