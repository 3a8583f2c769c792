// SPDX-License-Identifier: Apache-2.0
#include "command_runner.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <signal.h>
#include <unistd.h>

namespace hks::build {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view default_path = "/usr/local/bin:/usr/bin:/bin";

/// Names of the server's own environment that builds may see; "*" at the end: everything that starts so.
constexpr std::array<std::string_view, 15> passed_on{
    "PIP_*",     "NPM_CONFIG_*",   "npm_config_*", "SSL_CERT_*", "HTTP_PROXY",          "HTTPS_PROXY",
    "NO_PROXY",  "http_proxy",     "https_proxy",  "no_proxy",   "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE",
    "ALL_PROXY", "CURL_CA_BUNDLE", "all_proxy"};

bool passes(std::string_view name) {
    return std::any_of(passed_on.begin(), passed_on.end(), [&](std::string_view rule) {
        if (!rule.ends_with('*')) return rule == name;
        return name.starts_with(rule.substr(0, rule.size() - 1));
    });
}

}  // namespace

std::vector<std::string> build_environment(const fs::path& home, const std::string& first_in_path) {
    const char* path = std::getenv("PATH");
    std::string search = path && *path ? path : std::string(default_path);
    if (!first_in_path.empty()) search = first_in_path + ":" + search;
    std::vector<std::string> out{"PATH=" + search, "HOME=" + home.string(), "TMPDIR=" + home.string(),
                                 "LANG=C.UTF-8"};
    for (char** variable = environ; variable && *variable; ++variable) {
        const std::string_view text = *variable;
        if (passes(text.substr(0, text.find('=')))) out.emplace_back(text);
    }
    return out;
}

std::string index_settings() {
    std::vector<std::string> settings;
    for (char** variable = environ; variable && *variable; ++variable) {
        const std::string_view text = *variable;
        if (text.starts_with("PIP_") || text.starts_with("NPM_CONFIG_") || text.starts_with("npm_config_"))
            settings.emplace_back(text);
    }
    std::sort(settings.begin(), settings.end());
    std::string out;
    for (const std::string& setting : settings) out += setting + '\n';
    return out;
}

std::string find_program(std::string_view name, std::string_view path) {
    while (!path.empty()) {
        const size_t end = std::min(path.find(':'), path.size());
        const fs::path candidate = fs::path(path.substr(0, end)) / name;
        path.remove_prefix(std::min(end + 1, path.size()));
        std::error_code failure;
        if (candidate.is_absolute() && fs::is_regular_file(candidate, failure) &&
            ::access(candidate.c_str(), X_OK) == 0)
            return candidate.string();
    }
    return "";
}

void kill_processes_with(const std::string& text) {
    std::error_code failure;
    for (fs::directory_iterator it("/proc", failure), end; !failure && it != end; it.increment(failure)) {
        const std::string name = it->path().filename().string();
        pid_t pid = 0;
        const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error != std::errc() || stop != name.data() + name.size() || pid == ::getpid()) continue;
        std::ifstream file(it->path() / "environ", std::ios::binary);
        const std::string environment{std::istreambuf_iterator<char>(file), {}};
        if (environment.starts_with(text) || environment.find('\0' + text) != std::string::npos)
            ::kill(pid, SIGKILL);
    }
}

}  // namespace hks::build
