// SPDX-License-Identifier: Apache-2.0
#include "config_table.hpp"

#include <hks/core/units.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <filesystem>

namespace hks::app {
namespace {

using namespace std::chrono_literals;
using C = ServerConfig;

constexpr uint64_t kibi = 1ull << 10, mebi = 1ull << 20, gibi = 1ull << 30, tebi = 1ull << 40;

bool is_ip_address(const std::string& text) {
    unsigned char bytes[16];
    return inet_pton(AF_INET, text.c_str(), bytes) == 1 || inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

std::string set_listen(C& config, const std::string& value) {
    constexpr auto wanted = "must be ADDRESS:PORT like 127.0.0.1:8080 or [::1]:8080";
    const auto colon = value.rfind(':');
    if (colon == std::string::npos) return wanted;
    std::string host = value.substr(0, colon);
    const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (brackets) host = host.substr(1, host.size() - 2);
    if (brackets != (host.find(':') != std::string::npos)) return wanted;
    if (host == "localhost") host = "127.0.0.1";
    uint16_t port = 0;
    const char* const end = value.data() + value.size();
    const auto read = std::from_chars(value.data() + colon + 1, end, port);
    if (read.ec != std::errc() || read.ptr != end || !is_ip_address(host)) return wanted;
    config.listen_address = host;
    config.listen_port = port;
    return {};
}

std::string set_backend(C& config, const std::string& value) {
    if (value != "process") return "must be process";
    config.backend = value;
    return {};
}

std::string set_log_level(C& config, const std::string& value) {
    return telemetry::level_from_text(value, config.log_level)
               ? ""
               : "must be one of debug, info, warn, error, off";
}

std::string set_log_format(C& config, const std::string& value) {
    if (value != "text" && value != "json") return "must be text or json";
    config.log_format = value == "json" ? telemetry::Format::json : telemetry::Format::text;
    return {};
}

std::string set_default_auth(C& config, const std::string& value) {
    if (value != "public" && value != "token") return "must be public or token";
    config.default_auth = value == "token" ? TriggerAuth::token : TriggerAuth::public_access;
    return {};
}

std::string set_max_memory(C& config, const std::string& value) {
    const auto bytes = parse_bytes(value);
    if (!bytes || *bytes < 16 * mebi || *bytes > tebi) return "must be a size between 16Mi and 1Ti";
    config.spec_limits.max_memory = *bytes;
    return {};
}

std::string set_max_timeout(C& config, const std::string& value) {
    const auto duration = parse_duration(value);
    if (!duration || *duration < 1ms || *duration > 24h) return "must be a duration between 1ms and 24h";
    config.spec_limits.max_timeout = *duration;
    return {};
}

std::string set_master_key(C& config, const std::string& value) {
    if (value.size() != 64 || value.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
        return "must be 64 hexadecimal digits";
    config.master_key = value;
    return {};
}

const std::array keys{
    ConfigKey{
        "listen", "127.0.0.1:8080", CustomKey{set_listen, "`ADDRESS:PORT`, `[IPv6]:PORT`"},
        "Where to accept connections; port 0 takes a free one. An address that is not loopback needs TLS or "
        "`insecure_http`."},
    ConfigKey{"data_dir", "", PathKey{&C::data_dir},
              "Everything the server keeps: database, bundles, logs, keys. One server at a time.",
              "`$XDG_DATA_HOME/hks`, else `~/.local/share/hks`; `/var/lib/hks` for root"},
    ConfigKey{"backend", "process", CustomKey{set_backend, "`process`"}, "What runs the instances."},
    ConfigKey{"drain_timeout", "30s", DurationKey{&C::drain_timeout, 0ms, 1h},
              "How long running calls may take to finish after SIGTERM."},
    ConfigKey{"log.level", "info", CustomKey{set_log_level, "`debug`, `info`, `warn`, `error`, `off`"},
              "The least important server log line that is written."},
    ConfigKey{"log.format", "text", CustomKey{set_log_format, "`text`, `json`"},
              "Server log lines for people, or one JSON object a line."},
    ConfigKey{"tls.cert", "", PathKey{&C::tls_cert}, "PEM file with the certificate chain. Needs `tls.key`.",
              "no TLS"},
    ConfigKey{"tls.key", "", PathKey{&C::tls_key}, "PEM file with the private key. Needs `tls.cert`.",
              "no TLS"},
    ConfigKey{"insecure_http", "false", FlagKey{&C::insecure_http},
              "Allows plain HTTP on an address that is not loopback. Tokens travel readable then."},
    ConfigKey{"gateway.default_auth", "public", CustomKey{set_default_auth, "`public`, `token`"},
              "Who may call a function whose trigger does not say."},
    ConfigKey{"metrics.public", "false", FlagKey{&C::metrics_public}, "Serves `/metrics` without a token."},
    ConfigKey{"limits.request_body", "6Mi", BytesKey{&C::max_request_body, kibi, gibi},
              "Largest body of a call; more is 413."},
    ConfigKey{"limits.package", "64Mi", BytesKey{&C::max_package, kibi, 4 * gibi},
              "Largest upload of a function's code."},
    ConfigKey{"limits.response", "32Mi", BytesKey{&C::max_response, kibi, gibi},
              "Largest answer of a function that does not stream it."},
    ConfigKey{"limits.request_line", "8Ki", BytesKey{&C::max_request_line, 256, mebi},
              "Longest request line; more is 414."},
    ConfigKey{"limits.header_bytes", "32Ki", BytesKey{&C::max_header_bytes, kibi, mebi},
              "Size of all headers of a request; more is 431."},
    ConfigKey{"limits.header_count", "100", CountKey{&C::max_header_count, 8, 10'000},
              "Number of headers of a request; more is 431."},
    ConfigKey{"limits.chunk_extensions", "1Ki", BytesKey{&C::max_chunk_extensions, 0, mebi},
              "Size of all chunk extensions of a body."},
    ConfigKey{"limits.header_timeout", "10s", DurationKey{&C::header_timeout, 100ms, 1h},
              "How long a client may take to send a request's head."},
    ConfigKey{"limits.idle_timeout", "60s", DurationKey{&C::idle_timeout, 100ms, 24h},
              "How long a connection may wait between requests."},
    ConfigKey{"limits.write_timeout", "60s", DurationKey{&C::write_timeout, 100ms, 24h},
              "How long a client may take nothing of an answer."},
    ConfigKey{"limits.min_body_rate", "1Ki", BytesKey{&C::min_body_rate, 0, gibi},
              "Bytes a second that a client must send of a body, measured after its first five seconds."},
    ConfigKey{"limits.connections", "20000", CountKey{&C::max_connections, 1, 1'000'000},
              "Open connections."},
    ConfigKey{"limits.max_memory", "2Gi", CustomKey{set_max_memory, "16Mi to 1Ti"},
              "Most memory that a function may ask for."},
    ConfigKey{"limits.max_timeout", "900s", CustomKey{set_max_timeout, "1ms to 24h"},
              "Longest timeout that a function may ask for."},
    ConfigKey{"limits.max_instances", "1000", CountKey{&C::max_instances, 1, 100'000},
              "Instances of all functions together on this host."},
    ConfigKey{"limits.max_queued", "20000", CountKey{&C::max_queued, 1, 10'000'000},
              "Calls of all functions together that may wait for an instance; more is 503."},
    ConfigKey{"build.timeout", "10m", DurationKey{&C::build_timeout, 1s, 24h},
              "Longest build, downloads of dependencies included."},
    ConfigKey{"build.parallel", "", CountKey{&C::build_parallel, 1, 64},
              "Builds that may install dependencies at a time; those that install none do not wait for them.",
              "the number of cores, 2 to 8"},
    ConfigKey{
        "secrets.master_key_file", "", PathKey{&C::master_key_file},
        "File with the key that secrets are encrypted under, mode 0600; made at first start. Back it up.",
        "`{data_dir}/master-key`"},
    ConfigKey{
        "secrets.master_key", "", CustomKey{set_master_key, "64 hexadecimal digits"},
        "The key itself instead of a file. Give it in the environment: flags are visible to other users.",
        "the file", true},
    ConfigKey{"logs.max_size", "256Mi", BytesKey{&C::logs_max_size, mebi, tebi},
              "Functions' log lines kept; the oldest go first."},
    ConfigKey{"logs.max_age", "7d", DurationKey{&C::logs_max_age, 1h, 3650 * 24h},
              "How long functions' log lines are kept."},
    ConfigKey{"runtime.python_pool", "8", CountKey{&C::python_pool, 0, 256},
              "Python workers forked ahead for each workspace in use; each takes about 2 MB and is what a cold start "
              "finds ready."},
    ConfigKey{"runtime.python_pool_max", "100", CountKey{&C::python_pool_max, 0, 1024},
              "After a burst as many are kept as it took, up to this, for ten minutes."},
    ConfigKey{
        "runtime.node_pool", "1", CountKey{&C::node_pool, 0, 64},
        "Booted Node.js workers kept ready; each takes about 40 MB and saves a cold start 40 ms or more."},
    ConfigKey{"runtime.uid_base", "200000", CountKey{&C::uid_base, 1'000, 2'000'000'000},
              "When the server runs as root: instances run as this uid and those that follow it, one each."},
};

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};

std::string between(const std::string& low, const std::string& high) {
    return low + " to " + high;
}

std::string set_path(std::string& out, const std::string& value) {
    if (value.empty() || value.find('\0') != std::string::npos) return "must be a path";
    std::error_code failed;
    const auto path = std::filesystem::absolute(value, failed);
    if (failed) return "must be a path that can be resolved: " + failed.message();
    out = path.lexically_normal().string();
    if (out.size() > 1 && out.back() == '/') out.pop_back();
    return {};
}

}  // namespace

std::span<const ConfigKey> config_keys() {
    return keys;
}

std::string set_key(ServerConfig& config, const ConfigKey& key, const std::string& value) {
    const auto must_be = [&](const char* what) {
        return "must be " + std::string(what) + ", " + allowed_values(key);
    };
    return std::visit(
        Overloaded{
            [&](const BytesKey& kind) -> std::string {
                const auto bytes = parse_bytes(value);
                if (!bytes || *bytes < kind.low || *bytes > kind.high) return must_be("a size");
                config.*kind.member = *bytes;
                return {};
            },
            [&](const CountKey& kind) -> std::string {
                uint64_t count = 0;
                const char* const end = value.data() + value.size();
                const auto read = std::from_chars(value.data(), end, count);
                if (read.ec != std::errc() || read.ptr != end || count < kind.low || count > kind.high)
                    return must_be("a number");
                config.*kind.member = count;
                return {};
            },
            [&](const DurationKey& kind) -> std::string {
                const auto duration = parse_duration(value);
                if (!duration || *duration < kind.low || *duration > kind.high) return must_be("a duration");
                config.*kind.member = *duration;
                return {};
            },
            [&](const FlagKey& kind) -> std::string {
                if (value != "true" && value != "false") return "must be true or false";
                config.*kind.member = value == "true";
                return {};
            },
            [&](const PathKey& kind) { return set_path(config.*kind.member, value); },
            [&](const CustomKey& kind) { return kind.set(config, value); },
        },
        key.kind);
}

std::string allowed_values(const ConfigKey& key) {
    return std::visit(
        Overloaded{
            [](const BytesKey& kind) { return between(format_bytes(kind.low), format_bytes(kind.high)); },
            [](const CountKey& kind) { return between(std::to_string(kind.low), std::to_string(kind.high)); },
            [](const DurationKey& kind) {
                return between(format_duration(kind.low), format_duration(kind.high));
            },
            [](const FlagKey&) { return std::string("`true`, `false`"); },
            [](const PathKey&) { return std::string("a path"); },
            [](const CustomKey& kind) { return std::string(kind.values); },
        },
        key.kind);
}

std::string flag_name(std::string_view key) {
    std::string out = "--" + std::string(key);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c == '.' || c == '_'; }, '-');
    return out;
}

std::string environment_name(std::string_view key) {
    std::string out = "HKS_";
    for (const char c : key)
        out += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return out;
}

}  // namespace hks::app
