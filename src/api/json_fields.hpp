// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads the members of a JSON object one by one and remembers everything that was wrong: missing, of another
// type, unknown. Plain values; finish() last.

#include <hks/core/error.hpp>

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hks::api {

class JsonFields {
  public:
    /// `prefix` "" = the names themselves are the paths. `object` may be of any type; another than object is
    /// an error.
    explicit JsonFields(const nlohmann::json& object, std::string prefix = "");

    bool has(std::string_view name);  ///< there and not null
    /// The member as it is; null pointer when absent.
    const nlohmann::json* any(std::string_view name);
    std::optional<std::string> text(std::string_view name);
    std::string required_text(std::string_view name);
    std::optional<bool> boolean(std::string_view name);
    std::optional<int64_t> integer(std::string_view name, int64_t minimum, int64_t maximum);
    std::optional<std::map<std::string, std::string>> text_map(std::string_view name);
    std::optional<std::vector<std::string>> text_list(std::string_view name);
    /// {"k": "v"} or {"k": ["v", "w"]}, in the order given by the keys.
    std::vector<std::pair<std::string, std::vector<std::string>>> multi_map(std::string_view name);

    void wrong(std::string_view name, std::string message);
    void add(const Error& error);  ///< takes over the fields of an error of its own

    /// All errors, unknown members included; nothing when it was right. `what`: "The secret".
    std::optional<Error> finish(const std::string& what);

  private:
    std::string path(std::string_view name) const;

    const nlohmann::json& object_;
    std::string prefix_;
    std::set<std::string, std::less<>> known_;
    std::vector<FieldError> errors_;
};

/// A body that must be a JSON object (through the depth gate).
Result<nlohmann::json> parse_object(std::string_view body, std::string_view content_type);

}  // namespace hks::api
