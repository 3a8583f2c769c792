// SPDX-License-Identifier: Apache-2.0
#include "config_table.hpp"

#include <algorithm>

namespace hks::app {
namespace {

std::string default_text(const ConfigKey& key, bool markdown) {
    if (!key.computed.empty()) return std::string(key.computed);
    return markdown ? "`" + std::string(key.default_value) + "`" : std::string(key.default_value);
}

std::string without_backticks(std::string text) {
    std::erase(text, '`');
    return text;
}

constexpr std::string_view reference_head =
    R"(<!-- Written by `hks server --config-reference`; edit src/app/config_table.cpp instead. -->
# Configuration of `hks server`

Every key can be set in three places; a flag wins over the environment, the environment over the file:

- **File**: YAML, `--config FILE`; `/etc/hks/server.yaml` is read when it exists. `log: {level: debug}` and
  `log.level: debug` mean the same.
- **Environment**: `HKS_` and the key in upper case, with `_` for `.`: `HKS_LOG_LEVEL=debug`. An empty variable is the
  same as none.
- **Flag**: the key with `-` for `.` and `_`: `--log-level debug` or `--log-level=debug`. A key that is true or false
  is true when its flag stands alone: `--insecure-http`.

Unknown keys in the file or among the flags, wrong values and contradictions are all reported at once, and the server
exits with 2 before it opens a port. Sizes are written like `6Mi`, durations like `30s` or `1h30m`. Relative paths begin
at the folder that the server is started in.

| key | flag | environment | default | values | meaning |
|---|---|---|---|---|---|
)";

}  // namespace

std::string config_reference() {
    std::string out(reference_head);
    for (const auto& key : config_keys()) {
        out += "| `" + std::string(key.name) + "` | `" + flag_name(key.name) + "` | `" +
               environment_name(key.name) + "` | " + default_text(key, true) + " | " + allowed_values(key) +
               " | " + std::string(key.doc) + (key.secret ? " Never shown or logged. |\n" : " |\n");
    }
    return out;
}

std::string server_help() {
    std::string out =
        "Runs the platform: gateway, API, registry, builds and the functions' instances.\n\n"
        "Usage: hks server [--config FILE] [FLAG…]\n\n"
        "Every flag is also a key of the YAML file (/etc/hks/server.yaml when it exists, or --config FILE) "
        "and an\n"
        "environment variable: --log-level, log.level, HKS_LOG_LEVEL. A flag wins over the environment, the\n"
        "environment over the file.\n\n"
        "  --config FILE\n      The configuration file.\n"
        "  --config-reference\n      Prints the reference of all keys as Markdown.\n"
        "  -h, --help\n      Prints this.\n";
    for (const auto& key : config_keys()) {
        out += "  " + flag_name(key.name) + (std::holds_alternative<FlagKey>(key.kind) ? "" : " VALUE") +
               "\n      " + without_backticks(std::string(key.doc)) + " (" +
               without_backticks(default_text(key, false)) + ")\n";
    }
    return out;
}

std::string describe_config_error(const Error& error) {
    std::string out = error.message + "\n";
    for (const auto& field : error.fields) out += "  " + field.field + ": " + field.message + "\n";
    return out;
}

}  // namespace hks::app
