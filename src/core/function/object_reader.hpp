// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads a JSON object member by member and collects everything that is wrong with it, instead of stopping at
// the first mistake. Whatever nobody asked for is an unknown field.

#include <hks/core/error.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hks {

/// Everything that was found wrong so far.
class Findings {
  public:
    void add(std::string field, std::string message);
    /// A wrong runtime: the error's code is INVALID_RUNTIME when nothing else is wrong.
    void add_runtime(std::string field, std::string message);
    bool empty() const { return errors_.empty(); }
    std::vector<FieldError>& errors() { return errors_; }
    /// The first finding as the message, all of them as fields.
    Error to_error() &&;

  private:
    std::vector<FieldError> errors_;
    size_t runtime_errors_ = 0;
};

/// "a.b", or "b" when there is no parent.
std::string join_path(const std::string& parent, std::string_view key);
std::string join_path(const std::string& parent, size_t index);

class ObjectReader {
  public:
    using Json = nlohmann::json;

    /// `value` null = absent: every member is absent too. Anything else that is not an object is a finding.
    ObjectReader(const Json* value, std::string path, Findings& findings);

    /// The member, or null when it is absent or a JSON null. Makes the key a known one.
    const Json* take(std::string_view key);
    ObjectReader child(std::string_view key) { return {take(key), at(key), findings_}; }
    std::string at(std::string_view key) const { return join_path(path_, key); }
    const std::string& path() const { return path_; }
    Findings& findings() { return findings_; }

    // Each leaves `out` alone and adds a finding when the member is there but not as it should be. False
    // then, and when it is absent.
    bool read_text(std::string_view key, std::string& out);
    bool read_flag(std::string_view key, bool& out);
    bool read_count(std::string_view key, uint32_t& out, uint32_t low, uint32_t high);
    bool read_bytes(std::string_view key, uint64_t& out, uint64_t low, uint64_t high);
    bool read_duration(std::string_view key, std::chrono::milliseconds& out, std::chrono::milliseconds low,
                       std::chrono::milliseconds high);
    bool read_cpu(std::string_view key, uint32_t& out);
    /// The member must be absent or this text.
    void read_only_value(std::string_view key, std::string_view value);
    /// Object members whatever their names: for maps. Null when absent or wrong.
    const Json* read_map(std::string_view key);
    const Json* read_list(std::string_view key, size_t longest);

    /// Reports every member that nobody took.
    void finish();

  private:
    const Json* object_ = nullptr;
    std::string path_;
    Findings& findings_;
    std::vector<std::string_view> known_;  ///< literals
};

}  // namespace hks
