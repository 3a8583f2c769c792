// SPDX-License-Identifier: Apache-2.0
#include "app/config.hpp"

#include "app/config_table.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <unistd.h>

using namespace hks;
using namespace hks::app;
using namespace std::chrono_literals;

namespace {

/// A folder that goes with the test.
class Folder {
  public:
    Folder() {
        std::string name = std::filesystem::temp_directory_path() / "hks-config-XXXXXX";
        path_ = mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string file(const std::string& text) const {
        const auto name = path_ / "server.yaml";
        std::ofstream(name) << text;
        return name;
    }
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

using Arguments = std::vector<std::string>;
using Variables = std::map<std::string, std::string>;

Result<ServerCommand> read(Arguments arguments, Variables environment = {}, bool root = false,
                           const std::string& default_file = "/nonexistent/server.yaml") {
    environment.emplace("HOME", "/home/me");
    const auto lookup = [&environment](const char* name) {
        const auto found = environment.find(name);
        return found == environment.end() ? nullptr : found->second.c_str();
    };
    return read_server_command({std::move(arguments), lookup, root, default_file});
}

ServerConfig good(Arguments arguments, Variables environment = {}, bool root = false) {
    auto command = read(std::move(arguments), std::move(environment), root);
    if (!command) FAIL(describe_config_error(command.error()));
    return command->config;
}

/// The keys that were refused, in their order.
std::vector<std::string> refused(const Result<ServerCommand>& command) {
    std::vector<std::string> keys;
    if (!command)
        for (const auto& field : command.error().fields) keys.push_back(field.field);
    return keys;
}

using Keys = std::vector<std::string>;

}  // namespace

TEST_CASE("without any word the defaults of the contract hold") {
    const auto config = good({});
    CHECK(config.listen_address == "127.0.0.1");
    CHECK(config.listen_port == 8080);
    CHECK(config.data_dir == "/home/me/.local/share/hks");
    CHECK(config.backend == "process");
    CHECK(config.log_level == telemetry::Level::info);
    CHECK(config.log_format == telemetry::Format::text);
    CHECK_FALSE(config.insecure_http);
    CHECK_FALSE(config.metrics_public);
    CHECK(config.default_auth == TriggerAuth::public_access);
    CHECK(config.max_request_body == 6 << 20);
    CHECK(config.max_package == 64 << 20);
    CHECK(config.max_response == 32 << 20);
    CHECK(config.max_request_line == 8 << 10);
    CHECK(config.max_header_bytes == 32 << 10);
    CHECK(config.max_header_count == 100);
    CHECK(config.spec_limits.max_memory == 2ull << 30);
    CHECK(config.spec_limits.max_timeout == 900s);
    CHECK(config.max_instances == 1'000);
    CHECK(config.max_queued == 20'000);
    CHECK(config.drain_timeout == 30s);
    CHECK(config.build_timeout == 10min);
    CHECK(config.build_parallel == 2);
    CHECK(config.master_key_file == "/home/me/.local/share/hks/master-key");
    CHECK(config.master_key.empty());
    CHECK(config.logs_max_size == 256 << 20);
    CHECK(config.logs_max_age == 168h);
    CHECK(config.python_pool == 8);
    CHECK(config.python_pool_max == 100);
    CHECK(config.node_pool == 1);
    CHECK(config.uid_base == 200'000);
}

TEST_CASE("the data directory follows XDG, and root has its own") {
    CHECK(good({}, {{"XDG_DATA_HOME", "/xdg"}}).data_dir == "/xdg/hks");
    CHECK(good({}, {{"XDG_DATA_HOME", "relative"}}).data_dir == "/home/me/.local/share/hks");
    CHECK(good({}, {{"XDG_DATA_HOME", "/xdg"}}, true).data_dir == "/var/lib/hks");
    CHECK(good({"--data-dir", "/x"}, {}, true).data_dir == "/x");
    CHECK(refused(read({}, {{"HOME", ""}})) == Keys{"data_dir"});
}

TEST_CASE("a relative path is resolved where the server starts") {
    CHECK(good({"--data-dir", "some/../data/"}).data_dir ==
          (std::filesystem::current_path() / "data").string());
}

TEST_CASE("the master key lies in the data directory unless told") {
    CHECK(good({"--data-dir", "/x"}).master_key_file == "/x/master-key");
    CHECK(good({"--data-dir", "/x", "--secrets-master-key-file", "/y"}).master_key_file == "/y");
}

TEST_CASE("a flag wins over the environment, the environment over the file") {
    const Folder folder;
    const auto file = folder.file("build: {parallel: 2}\nlog.level: debug\nlimits:\n  max_queued: 5\n");
    const auto config = good({"--config", file, "--build-parallel=4"},
                             {{"HKS_BUILD_PARALLEL", "3"}, {"HKS_LOG_LEVEL", "warn"}});
    CHECK(config.build_parallel == 4);
    CHECK(config.log_level == telemetry::Level::warn);
    CHECK(config.max_queued == 5);
}

TEST_CASE("every key has a flag, a variable and a place in the file") {
    const std::map<std::string, std::string> values{{"listen", "127.0.0.1:1"},
                                                    {"build.parallel", "4"},
                                                    {"data_dir", "/d"},
                                                    {"backend", "process"},
                                                    {"log.level", "warn"},
                                                    {"log.format", "json"},
                                                    {"tls.cert", "/c"},
                                                    {"tls.key", "/k"},
                                                    {"insecure_http", "true"},
                                                    {"gateway.default_auth", "token"},
                                                    {"metrics.public", "true"},
                                                    {"secrets.master_key", std::string(64, 'a')},
                                                    {"secrets.master_key_file", "/m"}};
    for (const auto& key : config_keys()) {
        const std::string name(key.name);
        INFO(name);
        const auto found = values.find(name);
        const std::string value = found != values.end() ? found->second : std::string(key.default_value);
        Arguments arguments{flag_name(name), value};
        if (name == "tls.cert") arguments.insert(arguments.end(), {"--tls-key", "/k"});
        if (name == "tls.key") arguments.insert(arguments.end(), {"--tls-cert", "/c"});
        CHECK(read(arguments).has_value());
        CHECK(refused(read({}, {{environment_name(name), "\x01"}})).size() ==
              (std::holds_alternative<PathKey>(key.kind) && name[0] != 't' ? 0 : 1));
        const Folder folder;
        CHECK(refused(read({"--config", folder.file(name + ": [a list]\n")})) == Keys{name});
    }
}

TEST_CASE("flags and variables of two keys are never the same") {
    std::set<std::string> flags, names;
    for (const auto& key : config_keys()) {
        flags.insert(flag_name(key.name));
        names.insert(environment_name(key.name));
    }
    CHECK(flags.size() == config_keys().size());
    CHECK(names.size() == config_keys().size());
}

TEST_CASE("every default passes its own check") {
    for (const auto& key : config_keys()) {
        ServerConfig config;
        INFO(key.name);
        CHECK((key.default_value.empty() ? !key.computed.empty()
                                         : set_key(config, key, std::string(key.default_value)).empty()));
    }
}

TEST_CASE("everything that is wrong is reported at once, with its source") {
    const Folder folder;
    const auto file =
        folder.file("listen: nonsense\nlog: {level: loud}\nno_such_key: 1\nlimts: {max_queued: 1}\n");
    const auto command =
        read({"--config", file, "--build-parallel", "0", "--metric-public"}, {{"HKS_DRAIN_TIMEOUT", "soon"}});
    auto keys = refused(command);
    std::sort(keys.begin(), keys.end());
    CHECK(keys == Keys{"--metric-public", "build.parallel", "drain_timeout", "limts.max_queued", "listen",
                       "log.level", "no_such_key"});
    const auto text = describe_config_error(command.error());
    CHECK_THAT(text, Catch::Contains("log.level: must be one of") && Catch::Contains("not \"loud\"") &&
                         Catch::Contains("server.yaml line 2") && Catch::Contains("(HKS_DRAIN_TIMEOUT)") &&
                         Catch::Contains("(--build-parallel)") &&
                         Catch::Contains("did you mean --metrics-public?") &&
                         Catch::Contains("did you mean limits.max_queued?"));
}

TEST_CASE("a bad value is reported even where a stronger source overrides it") {
    CHECK(refused(read({"--log-level", "info"}, {{"HKS_LOG_LEVEL", "loud"}})) == Keys{"log.level"});
}

TEST_CASE("variables that are not the server's are left alone") {
    CHECK(read({}, {{"HKS_SERVER", "x"}, {"HKS_API_KEY", "x"}, {"HKS_NO_SUCH_KEY", "x"}, {"HKS_CONFIG", "x"}})
              .has_value());
}

TEST_CASE("an empty variable is the same as none") {
    CHECK(good({}, {{"HKS_LOG_LEVEL", ""}}).log_level == telemetry::Level::info);
}

TEST_CASE("listen takes an address and a port") {
    CHECK(good({"--listen", "[::1]:0"}).listen_address == "::1");
    CHECK(good({"--listen", "[::1]:0"}).listen_port == 0);
    CHECK(good({"--listen", "localhost:9000"}).listen_address == "127.0.0.1");
    CHECK(good({"--listen", "127.0.0.5:65535"}).listen_port == 65'535);
}

TEST_CASE("other spellings of listen are refused") {
    const auto value =
        GENERATE(as<std::string>{}, "", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                 "127.0.0.1:-1", "127.0.0.1:80x", "::1:8080", "[::1]", "[127.0.0.1]:80", "example.com:80",
                 "[]:80", "127.0.0.1:+80", "127.1:80", "http://127.0.0.1:80");
    INFO(value);
    CHECK(refused(read({"--listen=" + value})) == Keys{"listen"});
}

TEST_CASE("an address that others can reach needs TLS or a word") {
    const auto address =
        GENERATE(as<std::string>{}, "0.0.0.0:80", "[::]:80", "10.0.0.1:80", "[::ffff:10.0.0.1]:80");
    CHECK(refused(read({"--listen", address})) == Keys{"listen"});
    CHECK_THAT(describe_config_error(read({"--listen", address}).error()), Catch::Contains("insecure_http"));
    CHECK(good({"--listen", address, "--insecure-http"}).insecure_http);
    CHECK(good({"--listen", address, "--tls-cert", "/c", "--tls-key", "/k"}).tls_cert == "/c");
}

TEST_CASE("loopback addresses are known in every spelling") {
    for (const auto* address : {"127.0.0.1", "127.255.0.1", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"})
        CHECK(is_loopback_address(address));
    for (const auto* address : {"0.0.0.0", "::", "128.0.0.1", "::2", "::ffff:10.0.0.1", "", "localhost"})
        CHECK_FALSE(is_loopback_address(address));
}

TEST_CASE("half of a TLS pair is a contradiction") {
    CHECK(refused(read({"--tls-cert", "/c"})) == Keys{"tls.key"});
    CHECK(refused(read({"--tls-key", "/k"})) == Keys{"tls.cert"});
}

TEST_CASE("a flag that is true or false may stand alone") {
    CHECK(good({"--metrics-public"}).metrics_public);
    CHECK(good({"--metrics-public", "--log-level", "warn"}).metrics_public);
    CHECK(good({"--metrics-public", "true"}).metrics_public);
    CHECK_FALSE(good({"--metrics-public", "false"}).metrics_public);
    CHECK_FALSE(good({"--metrics-public=false"}, {{"HKS_METRICS_PUBLIC", "true"}}).metrics_public);
    CHECK(refused(read({"--metrics-public=yes"})) == Keys{"metrics.public"});
}

TEST_CASE("a flag without its value, one given twice, and loose words are refused") {
    CHECK(refused(read({"--log-level"})) == Keys{"log.level"});
    CHECK(refused(read({"--log-level", "--metrics-public"})) == Keys{"log.level"});
    CHECK(refused(read({"--log-level", "info", "--log-level", "warn"})) == Keys{"log.level"});
    CHECK(read({"--log-level", "info", "--log-level=info"}).has_value());
    CHECK(refused(read({"start"})) == Keys{"start"});
    CHECK(refused(read({"--no-such", "value", "-x"})) == Keys{"--no-such", "-x"});
    CHECK(refused(read({"--config"})) == Keys{"--config"});
}

TEST_CASE("the key itself is never shown") {
    const std::string secret = "0123456789abcdef-not-hex";
    const auto text = describe_config_error(read({"--secrets-master-key", secret}).error());
    CHECK_THAT(text, Catch::Contains("64 hexadecimal digits") && !Catch::Contains(secret));
    CHECK(good({}, {{"HKS_SECRETS_MASTER_KEY", std::string(64, 'A')}}).master_key == std::string(64, 'A'));
}

TEST_CASE("the key and its file together are a contradiction") {
    CHECK(refused(read({"--secrets-master-key-file", "/m"},
                       {{"HKS_SECRETS_MASTER_KEY", std::string(64, 'a')}})) == Keys{"secrets.master_key"});
}

TEST_CASE("a file that is missing, a folder or no YAML is refused") {
    const Folder folder;
    CHECK(refused(read({"--config", (folder.path() / "none").string()})) == Keys{"--config"});
    CHECK(refused(read({"--config", folder.path().string()})) == Keys{"--config"});
    CHECK(refused(read({"--config", folder.file("a: [")})) == Keys{"--config"});
    CHECK(refused(read({"--config", folder.file("- a\n")})) == Keys{"--config"});
    CHECK(refused(read({"--config", folder.file("log.level: info\nlog.level: warn\n")})) ==
          Keys{"log.level"});
    CHECK(refused(read({"--config", folder.file("log: {level: info}\nlog.level: info\n")})) ==
          Keys{"log.level"});
    CHECK(refused(read({"--config", folder.file("log: info\n")})) == Keys{"log"});
}

TEST_CASE("an empty file and empty keys are no mistake") {
    const Folder folder;
    CHECK(read({"--config", folder.file("")}).has_value());
    CHECK(read({"--config", folder.file("# nothing\nlog.level:\n")}).has_value());
}

TEST_CASE("the default file is read when it is there") {
    const Folder folder;
    const auto file = folder.file("build.parallel: 7\n");
    const auto command = read({}, {}, false, file);
    REQUIRE(command.has_value());
    CHECK(command->config.build_parallel == 7);
    CHECK(command->config_file == file);
}

TEST_CASE("numbers, sizes and durations end at their bounds") {
    CHECK(refused(read({"--limits-request-body", "1", "--limits-header-count", "1e3", "--logs-max-age=1ms",
                        "--runtime-uid-base=0"})) ==
          Keys{"limits.request_body", "limits.header_count", "logs.max_age", "runtime.uid_base"});
}

TEST_CASE("help and reference win over everything else") {
    CHECK(read({"--nonsense", "--help"})->action == ServerAction::help);
    CHECK(read({"-h"})->action == ServerAction::help);
    CHECK(read({"--config-reference"})->action == ServerAction::config_reference);
}

TEST_CASE("help names every flag") {
    const auto help = server_help();
    for (const auto& key : config_keys()) CHECK_THAT(help, Catch::Contains(flag_name(key.name)));
}

TEST_CASE("the checked-in reference is the one that the table gives") {
    const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
    std::ifstream stream(root / "docs" / "configuration.md");
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    INFO("write it anew: hks server --config-reference >docs/configuration.md");
    CHECK(text == config_reference());
}

TEST_CASE("as many builds may install dependencies as there are cores, within reason") {
    for (const auto& [cores, builds] : {std::pair{0u, 2u}, {1u, 2u}, {4u, 4u}, {64u, 8u}}) {
        ConfigInput input;
        input.environment = [](const char* name) { return std::string(name) == "HOME" ? "/home/me" : nullptr; };
        input.default_file = "/nonexistent/server.yaml";
        input.cores = cores;
        const auto command = read_server_command(input);
        REQUIRE(command.has_value());
        CHECK(command->config.build_parallel == builds);
    }
}
