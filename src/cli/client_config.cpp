// SPDX-License-Identifier: Apache-2.0
#include "client_config.hpp"

#include <hks/net/http_client.hpp>

#include <yaml-cpp/yaml.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace hks::cli {

namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::string home() {
    std::string value = environment("HOME");
    return value.empty() ? "/" : value;
}

}  // namespace

std::string ClientConfig::default_path() {
    std::string base = environment("XDG_CONFIG_HOME");
    if (base.empty()) base = home() + "/.config";
    return base + "/hks/config.yaml";
}

Result<ClientConfig> ClientConfig::load(const std::string& path) {
    ClientConfig config;
    config.path_ = path;
    std::ifstream file(path);
    if (!file) return config;
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) ::chmod(path.c_str(), 0600);
    try {
        YAML::Node node = YAML::Load(file);
        for (const auto& entry : node) config.values_[entry.first.as<std::string>()] = entry.second.as<std::string>();
    } catch (const YAML::Exception& e) {
        return Error(Errc::validation_error,
                     "The configuration file " + path + " cannot be read: " + e.what() + ". Mend or remove it.");
    }
    return config;
}

std::string ClientConfig::get(const std::string& key) const {
    auto found = values_.find(key);
    return found == values_.end() ? "" : found->second;
}

Result<void> ClientConfig::save() const {
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
    YAML::Emitter out;
    out << YAML::BeginMap;
    for (const auto& [key, value] : values_)
        if (!value.empty()) out << YAML::Key << key << YAML::Value << YAML::DoubleQuoted << value;
    out << YAML::EndMap;
    std::string text = std::string(out.c_str()) + "\n";

    std::string temporary = path_ + ".new";
    int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (fd >= 0) ::close(fd);
    if (!written || ::rename(temporary.c_str(), path_.c_str()) != 0)
        return Error(Errc::internal, "The configuration file " + path_ + " cannot be written. Check the folder's mode.");
    return {};
}

std::string local_admin_token() {
    std::string folder = environment("HKS_DATA_DIR");
    if (folder.empty()) {
        std::string base = environment("XDG_DATA_HOME");
        if (::geteuid() == 0)
            folder = "/var/lib/hks";
        else
            folder = (base.empty() ? home() + "/.local/share" : base) + "/hks";
    }
    std::ifstream file(folder + "/admin-token");
    std::string token;
    std::getline(file, token);
    return token;
}

bool is_loopback_server(const std::string& url) {
    auto parsed = net::Url::parse(url);
    if (!parsed) return false;
    const std::string& host = parsed->host;
    return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

}  // namespace hks::cli
