// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the user sees: tables, objects as JSON or YAML, progress on stderr, errors in one line. Main thread.

#include <hks/core/error.hpp>

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hks::cli {

enum class Output { table, wide, json, yaml, name };
/// False for a word that is none of them.
bool output_from_text(const std::string& text, Output& out);
std::string output_name(Output output);

struct Column {
    std::string title;
    std::function<std::string(const nlohmann::json&)> cell;
    bool wide_only = false;
};

class Printer {
  public:
    Printer(Output output, bool quiet) : output_(output), quiet_(quiet) {}

    Output output() const { return output_; }
    bool structured() const { return output_ == Output::json || output_ == Output::yaml; }

    /// A list of REST objects; `items` is what "items" held.
    void list(const nlohmann::json& items, const std::vector<Column>& columns, const std::string& name_key) const;
    /// One REST object; `human` prints it for people.
    void object(const nlohmann::json& object, const std::string& name_key, const std::function<void()>& human) const;
    /// A line of progress on stderr; silent with -q.
    void progress(const std::string& line) const;
    /// "error: sentence [CODE]" and the fields, on stderr. Returns the exit code.
    static int error(const Error& error);

  private:
    Output output_;
    bool quiet_;
};

/// Text of others, for a terminal: control characters as \x1b and the like; lines after the first begin with `indent`.
std::string printable(std::string_view text, std::string_view indent = "");
std::string to_yaml(const nlohmann::json& value);
/// "3m ago" from RFC 3339.
std::string age(const nlohmann::json& object, const char* key);
/// A member as text, "" when absent or null.
std::string text(const nlohmann::json& object, const char* key);

}  // namespace hks::cli
