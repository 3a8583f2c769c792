// SPDX-License-Identifier: Apache-2.0
#pragma once
// The configuration of `hks server`: one declared row per key (config_table.cpp) gives its flag, its
// environment variable, its place in the file, its check and its line in the reference. Flag over environment
// over file. Read once, before anything else starts; plain values from then on.

#include <hks/core/clock.hpp>
#include <hks/core/error.hpp>
#include <hks/core/function.hpp>
#include <hks/telemetry/logger.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace hks::app {

struct ServerConfig {
    std::string listen_address;  ///< IP address, without brackets
    uint64_t listen_port = 0;    ///< 0 = any free one
    std::string data_dir;        ///< absolute
    std::string backend;         ///< "process"

    telemetry::Level log_level = telemetry::Level::info;
    telemetry::Format log_format = telemetry::Format::text;

    std::string tls_cert;        ///< PEM file; "" = no TLS
    std::string tls_key;         ///< PEM file
    bool insecure_http = false;  ///< plain HTTP on an address that others can reach

    TriggerAuth default_auth = TriggerAuth::public_access;  ///< of triggers that do not say
    bool metrics_public = false;                            ///< /metrics without a token

    uint64_t max_request_body = 0;  ///< bytes of a call's body
    uint64_t max_package = 0;       ///< bytes of an uploaded function
    uint64_t max_response = 0;      ///< bytes of an answer that is not streamed
    uint64_t max_request_line = 0;  ///< bytes
    uint64_t max_header_bytes = 0;  ///< all headers together
    uint64_t max_header_count = 0;
    uint64_t max_chunk_extensions = 0;  ///< bytes, over one body
    uint64_t max_connections = 0;
    uint64_t min_body_rate = 0;      ///< bytes a second
    milliseconds header_timeout{0};  ///< to the end of a request's head
    milliseconds idle_timeout{0};    ///< between requests of a connection
    milliseconds write_timeout{0};   ///< an answer of which the client takes nothing

    SpecLimits spec_limits;      ///< what a function may ask for
    uint64_t max_instances = 0;  ///< on this host
    uint64_t max_queued = 0;     ///< waiting calls over all functions

    milliseconds drain_timeout{0};  ///< SIGTERM to giving up on what still runs
    milliseconds build_timeout{0};
    uint64_t build_parallel = 0;  ///< builds that install dependencies at a time

    std::string master_key_file;  ///< absolute; 64 hex digits, made at first start
    std::string master_key;       ///< 64 hex digits; "" = use the file. Never logged.

    uint64_t logs_max_size = 0;  ///< bytes of functions' logs kept
    milliseconds logs_max_age{0};

    uint64_t python_pool = 0;  ///< forked Python workers that wait for a function
    uint64_t python_pool_max = 0;  ///< after a burst
    uint64_t node_pool = 0;  ///< booted Node workers that wait for a function
    uint64_t uid_base = 0;   ///< first uid of instances when the server is root
};

/// What the world says, so that tests can say something else.
struct ConfigInput {
    std::vector<std::string> arguments;                   ///< behind `hks server`
    std::function<const char*(const char*)> environment;  ///< getenv
    bool root = false;                                    ///< the server runs as uid 0
    std::string default_file = "/etc/hks/server.yaml";    ///< read when it is there and --config is not
    unsigned cores = 1;
    /// What is wrong with the files that the configuration names; they are not looked at without it.
    std::function<std::vector<FieldError>(const ServerConfig&)> check_files = {};
};

enum class ServerAction { run, help, config_reference };

struct ServerCommand {
    ServerAction action = ServerAction::run;
    ServerConfig config;
    std::string config_file;  ///< that was read; "" = none
};

/// Everything that is wrong is in the error's fields: `field` is the key ("log.level"), the message says
/// where it came from. Reads at most one file, and what `check_files` reads.
Result<ServerCommand> read_server_command(const ConfigInput& input);

/// One line per finding, for stderr.
std::string describe_config_error(const Error& error);
/// Text of `hks server --help`.
std::string server_help();
/// docs/configuration.md, as `hks server --config-reference` prints it.
std::string config_reference();

/// True for 127.0.0.0/8 and ::1, however they are spelled.
bool is_loopback_address(const std::string& address);

}  // namespace hks::app
