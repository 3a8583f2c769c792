// SPDX-License-Identifier: Apache-2.0
#pragma once
// The rows behind config.hpp. A new option is a field there, a row in config_table.cpp and a test.

#include "config.hpp"

#include <span>
#include <string_view>
#include <variant>

namespace hks::app {

struct BytesKey {
    uint64_t ServerConfig::*member;
    uint64_t low, high;
};
struct CountKey {
    uint64_t ServerConfig::*member;
    uint64_t low, high;
};
struct DurationKey {
    milliseconds ServerConfig::*member;
    milliseconds low, high;
};
struct FlagKey {
    bool ServerConfig::*member;
};
struct PathKey {
    std::string ServerConfig::*member;
};
/// Anything else: `set` returns "" or what the value must be.
struct CustomKey {
    std::string (*set)(ServerConfig& config, const std::string& value);
    std::string_view values;  ///< for the reference
};

struct ConfigKey {
    std::string_view name;           ///< "log.level"
    std::string_view default_value;  ///< in the spelling that a user would write
    std::variant<BytesKey, CountKey, DurationKey, FlagKey, PathKey, CustomKey> kind;
    std::string_view doc;
    std::string_view computed = {};  ///< how the default is found, where it is not `default_value`
    bool secret = false;             ///< its value is never shown
};

std::span<const ConfigKey> config_keys();

/// "" or what the value must be.
std::string set_key(ServerConfig& config, const ConfigKey& key, const std::string& value);
/// What a value may be, for people: "1Ki to 1Gi".
std::string allowed_values(const ConfigKey& key);

std::string flag_name(std::string_view key);         ///< "--log-level"
std::string environment_name(std::string_view key);  ///< "HKS_LOG_LEVEL"

}  // namespace hks::app
