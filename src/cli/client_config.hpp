// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the client finds its server, key, workspace and output format: flag, then environment, then
// $XDG_CONFIG_HOME/hks/config.yaml (mode 0600). Main thread.

#include <hks/core/error.hpp>

#include <map>
#include <string>

namespace hks::cli {

/// The keys of the file, in the order `config view` shows them.
inline constexpr const char* config_keys[] = {"server", "api-key", "workspace", "output"};

class ClientConfig {
  public:
    static std::string default_path();
    /// An absent file is an empty configuration; one that others can read gets its mode repaired.
    static Result<ClientConfig> load(const std::string& path);

    const std::string& path() const { return path_; }
    std::string get(const std::string& key) const;  ///< "" when it is not set
    void set(const std::string& key, const std::string& value) { values_[key] = value; }
    Result<void> save() const;

  private:
    std::string path_;
    std::map<std::string, std::string> values_;
};

/// The admin token of a server on this machine: {data_dir}/admin-token in HKS_DATA_DIR or the default data directory.
/// "" when there is none that we may read.
std::string local_admin_token();
/// True when the URL's host is this machine's loopback.
bool is_loopback_server(const std::string& url);

}  // namespace hks::cli
