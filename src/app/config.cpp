// SPDX-License-Identifier: Apache-2.0
#include "config.hpp"

#include "config_table.hpp"

#include <hks/core/suggest.hpp>
#include <hks/core/yaml.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

namespace hks::app {
namespace {

/// One value that somebody gave, and where.
struct Given {
    std::string value;
    std::string source;  ///< "--log-level", "HKS_LOG_LEVEL", "server.yaml line 3"
    int line = 0;
};

class Reader {
  public:
    explicit Reader(const ConfigInput& input) : input_(input) {}

    Result<ServerCommand> read() {
        read_arguments();
        if (command_.action != ServerAction::run) return std::move(command_);
        set_defaults();
        read_file();
        read_environment();
        for (const auto& [key, given] : flags_) apply(*key, given);
        fill_in();
        check_contradictions();
        check_files();
        if (errors_.empty()) return std::move(command_);
        Error error(Errc::validation_error,
                    "The configuration has " + std::to_string(errors_.size()) +
                        (errors_.size() == 1 ? " error. Correct it" : " errors. Correct them") +
                        " and start again; hks server --help lists the keys.");
        error.fields = std::move(errors_);
        return error;
    }

  private:
    void wrong(std::string_view key, std::string message, int line = 0) {
        errors_.push_back({std::string(key), std::move(message), line});
    }

    void apply(const ConfigKey& key, const Given& given) {
        const std::string problem = set_key(command_.config, key, given.value);
        if (problem.empty()) {
            given_[key.name] = given.source;
            return;
        }
        const std::string shown = key.secret ? std::string() : ", not \"" + given.value.substr(0, 80) + "\"";
        wrong(key.name, problem + shown + " (" + given.source + ")", given.line);
    }

    void set_defaults() {
        for (const auto& key : config_keys())
            if (!key.default_value.empty())
                (void)set_key(command_.config, key, std::string(key.default_value));
    }

    // --- flags
    // ---------------------------------------------------------------------------------------------------

    void read_arguments() {
        const auto& arguments = input_.arguments;
        for (size_t i = 0; i < arguments.size(); ++i) {
            const std::string& argument = arguments[i];
            const auto equals = argument.find('=');
            const std::string name = argument.substr(0, equals);
            if (argument == "-h" || argument == "--help") {
                command_.action = ServerAction::help;
                return;
            }
            if (argument == "--config-reference") {
                command_.action = ServerAction::config_reference;
                return;
            }
            const ConfigKey* key = find_flag(name);
            if (!key && name != "--config") {
                unknown_argument(name);
                // What follows is most likely its value: one mistake, one message.
                const bool value_follows = equals == std::string::npos && name.starts_with("-") &&
                                           i + 1 < arguments.size() && !arguments[i + 1].starts_with("-");
                if (value_follows) ++i;
                continue;
            }
            std::string value;
            if (equals != std::string::npos)
                value = argument.substr(equals + 1);
            else if (!take_value(key, i, value))
                continue;
            if (!key)
                set_file(value);
            else if (const auto before = flags_.find(key);
                     before != flags_.end() && before->second.value != value)
                wrong(key->name, "is given twice with different values (" + name + ")");
            else
                flags_[key] = {value, name};
        }
    }

    /// The value of a flag without `=`: the next argument; true for a flag that needs none.
    bool take_value(const ConfigKey* key, size_t& i, std::string& value) {
        const auto& arguments = input_.arguments;
        const bool is_flag = key && std::holds_alternative<FlagKey>(key->kind);
        const bool there = i + 1 < arguments.size();
        if (is_flag && (!there || (arguments[i + 1] != "true" && arguments[i + 1] != "false"))) {
            value = "true";
            return true;
        }
        if (!there || arguments[i + 1].starts_with("--")) {
            wrong(key ? key->name : "--config", "needs a value (" + arguments[i] + ")");
            return false;
        }
        value = arguments[++i];
        return true;
    }

    void set_file(const std::string& path) {
        if (path.empty())
            wrong("--config", "needs a file's name");
        else if (!file_.empty() && file_ != path)
            wrong("--config", "is given twice with different values");
        file_ = path;
    }

    static const ConfigKey* find_flag(std::string_view name) {
        for (const auto& key : config_keys())
            if (flag_name(key.name) == name) return &key;
        return nullptr;
    }

    void unknown_argument(const std::string& name) {
        if (!name.starts_with("-")) {
            wrong(name, "is not understood: hks server takes flags only");
            return;
        }
        std::vector<std::string> names{"--config", "--config-reference", "--help"};
        for (const auto& key : config_keys()) names.push_back(flag_name(key.name));
        const std::vector<std::string_view> views(names.begin(), names.end());
        const auto near = closest_name(name, views);
        wrong(name, near.empty() ? "there is no such flag"
                                 : "there is no such flag; did you mean " + std::string(near) + "?");
    }

    // --- environment
    // ---------------------------------------------------------------------------------------------

    std::string variable(const std::string& name) const {
        const char* value = input_.environment ? input_.environment(name.c_str()) : nullptr;
        return value ? value : "";
    }

    void read_environment() {
        for (const auto& key : config_keys()) {
            const auto name = environment_name(key.name);
            if (auto value = variable(name); !value.empty()) apply(key, {std::move(value), name});
        }
    }

    // --- file
    // ----------------------------------------------------------------------------------------------------

    void read_file() {
        std::error_code ignored;
        if (file_.empty()) {
            if (!std::filesystem::exists(input_.default_file, ignored)) return;
            file_ = input_.default_file;
        }
        errno = 0;
        std::ifstream stream(file_, std::ios::binary);
        const bool readable = stream.is_open() && !std::filesystem::is_directory(file_, ignored);
        const std::string text =
            readable ? std::string(std::istreambuf_iterator<char>(stream), {}) : std::string();
        if (!readable || stream.bad()) {
            wrong("--config", "the file " + file_ + " cannot be read" +
                                  (errno ? std::string(": ") + std::strerror(errno) : std::string()));
            return;
        }
        command_.config_file = file_;
        const auto document = read_yaml(text, {}, [](const std::string&) { return true; });
        if (!document) {
            for (const auto& field : document.error().fields)
                wrong(field.field.empty() ? "--config" : field.field,
                      field.message + " (" + place(field.line) + ")", field.line);
            return;
        }
        if (document->value.is_null()) return;
        if (!document->value.is_object())
            wrong("--config", "the file " + file_ + " must hold keys and values");
        else
            read_members(document->value, {}, document->lines);
    }

    std::string place(int line) const { return file_ + (line > 0 ? " line " + std::to_string(line) : ""); }

    void read_members(const nlohmann::json& object, const std::string& parent,
                      const std::map<std::string, int>& lines) {
        for (const auto& [name, value] : object.items()) {
            const std::string path = parent.empty() ? name : parent + "." + name;
            const auto found = lines.find(path);
            const int line = found == lines.end() ? 0 : found->second;
            const ConfigKey* key = find_key(path);
            if (value.is_object() && !key && !value.empty())
                read_members(value, path, lines);
            else if (!key)
                unknown_key(path, line);
            else if (value.is_null())
                continue;
            else if (!value.is_string())
                wrong(path, "must be one value (" + place(line) + ")", line);
            else if (!in_file_.insert(path).second)
                wrong(path, "is there twice (" + place(line) + ")", line);
            else
                apply(*key, {value.get<std::string>(), place(line), line});
        }
    }

    static const ConfigKey* find_key(std::string_view name) {
        for (const auto& key : config_keys())
            if (key.name == name) return &key;
        return nullptr;
    }

    void unknown_key(const std::string& path, int line) {
        std::vector<std::string_view> names;
        for (const auto& key : config_keys()) names.push_back(key.name);
        const auto near = closest_name(path, names);
        wrong(path,
              (near.empty() ? "there is no such key ("
                            : "there is no such key; did you mean " + std::string(near) + "? (") +
                  place(line) + ")",
              line);
    }

    // --- what follows from the rest
    // ------------------------------------------------------------------------------

    void fill_in() {
        auto& config = command_.config;
        if (config.data_dir.empty()) config.data_dir = default_data_dir();
        if (config.data_dir.empty())
            wrong("data_dir", "has no default because HOME is not set; give --data-dir");
        if (config.build_parallel == 0) config.build_parallel = std::clamp(input_.cores, 2u, 8u);
        if (config.master_key_file.empty()) config.master_key_file = config.data_dir + "/master-key";
    }

    std::string default_data_dir() const {
        if (input_.root) return "/var/lib/hks";
        // The XDG specification: relative paths are invalid and ignored.
        if (const auto xdg = variable("XDG_DATA_HOME"); xdg.starts_with('/')) return xdg + "/hks";
        if (const auto home = variable("HOME"); home.starts_with('/')) return home + "/.local/share/hks";
        return {};
    }

    void check_contradictions() {
        const auto& config = command_.config;
        const bool tls = !config.tls_cert.empty() && !config.tls_key.empty();
        if (!config.tls_cert.empty() && config.tls_key.empty())
            wrong("tls.key", "is missing beside tls.cert");
        if (config.tls_cert.empty() && !config.tls_key.empty())
            wrong("tls.cert", "is missing beside tls.key");
        if (!tls && !config.insecure_http && !is_loopback_address(config.listen_address))
            wrong("listen",
                  "others can reach " + config.listen_address +
                      ": set tls.cert and tls.key, or insecure_http to true when a proxy in front does TLS");
        if (given_.contains("secrets.master_key") && given_.contains("secrets.master_key_file"))
            wrong("secrets.master_key", "is given beside secrets.master_key_file; keep one of them");
    }

    void check_files() {
        if (!input_.check_files) return;
        for (const auto& [key, message, line] : input_.check_files(command_.config)) {
            const auto source = given_.find(key);
            wrong(key, message + (source == given_.end() ? "" : " (" + source->second + ")"), line);
        }
    }

    const ConfigInput& input_;
    ServerCommand command_;
    std::vector<FieldError> errors_;
    std::map<const ConfigKey*, Given> flags_;  ///< in the order of the table
    std::set<std::string> in_file_;
    std::map<std::string_view, std::string> given_;  ///< key → where its value in force came from
    std::string file_;
};

}  // namespace

Result<ServerCommand> read_server_command(const ConfigInput& input) {
    return Reader(input).read();
}

bool is_loopback_address(const std::string& address) {
    std::array<unsigned char, 16> bytes{};
    if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) return bytes[0] == 127;
    if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return false;
    constexpr std::array<unsigned char, 16> loopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return bytes == loopback || (std::equal(mapped.begin(), mapped.end(), bytes.begin()) && bytes[12] == 127);
}

}  // namespace hks::app
