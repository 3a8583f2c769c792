// SPDX-License-Identifier: Apache-2.0
#include "application.hpp"

#include "application_options.hpp"
#include "start_block.hpp"

#include <boost/asio/post.hpp>

#include <csignal>
#include <iostream>
#include <unistd.h>

namespace hks::app {
namespace {

constexpr size_t pool_threads = 4;
constexpr size_t pool_queue = 1024;

/// 64 hexadecimal digits → 32 bytes; the configuration has checked them.
std::string bytes_of_hex(std::string_view text) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    std::string out;
    for (size_t i = 0; i + 1 < text.size(); i += 2)
        out.push_back(static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1])));
    return out;
}

}  // namespace

Result<Databases> open_databases(const DataDirectory& directory) {
    Databases databases;
    auto registry = storage::Database::open(directory.path("registry.db"), storage::Durability::full);
    if (!registry) return registry.error();
    databases.registry = std::move(*registry);
    auto logs = storage::Database::open(directory.path("logs.db"), storage::Durability::normal);
    if (!logs) return logs.error();
    databases.logs = std::move(*logs);
    return databases;
}

Application::Application(const ServerConfig& config, DataDirectory& directory, runtime::Spawner& spawner,
                         Databases databases)
    : config_(config),
      directory_(directory),
      logger_(config.log_level, config.log_format),
      // One thread runs the loop and nothing but post() is called from others.
      loop_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      databases_(std::move(databases)),
      pool_(pool_threads, pool_queue),
      keys_(*databases_.registry, clock_),
      audit_(*databases_.registry, clock_),
      secrets_(*databases_.registry, clock_),
      registry_(*databases_.registry, clock_, logger_),
      artifacts_(directory.path("bundles")),
      logs_(loop_, pool_, *databases_.logs, log_options(config), logger_, metrics_),
      runtimes_(runtime::RuntimeTable::discover(runtime::function_uid(backend_options(config, directory)))),
      backend_(loop_, backend_options(config, directory), spawner, runtimes_, logs_, clock_, logger_,
               metrics_),
      builds_(loop_, build_options(config, directory), registry_, artifacts_, *databases_.logs, runtimes_,
              backend_, secrets_, logger_, metrics_),
      dispatcher_(loop_, dispatcher_options(config), backend_, registry_.watch(), secrets_, logs_, clock_,
                  logger_, metrics_),
      gateway_(loop_, gateway_options(config), registry_.watch(), dispatcher_, keys_, clock_, logger_,
               metrics_),
      api_(loop_, api_options(config),
           {pool_, registry_, builds_, dispatcher_, backend_, runtimes_, secrets_, keys_, audit_, logs_,
            clock_, logger_, metrics_}),
      handler_(gateway_, api_),
      server_(loop_, server_options(config), handler_, logger_, metrics_),
      signals_(loop_),
      drain_timer_(loop_) {}

Application::~Application() {
    pool_.stop();
}

Result<void> Application::open_stores() {
    // First: whatever fails later, the end of this object writes what functions have logged.
    if (auto opened = logs_.open(); !opened) return opened;
    if (auto opened = keys_.open(); !opened) return opened;
    if (auto opened = audit_.open(); !opened) return opened;
    if (auto opened = open_secrets(); !opened) return opened;
    if (auto opened = registry_.open(); !opened) return opened;
    if (auto opened = artifacts_.open(); !opened) return opened;
    auto used = registry_.digests_in_use();
    if (!used) return used.error();
    if (auto swept = artifacts_.sweep(*used); !swept) return swept.error();
    return {};
}

Result<void> Application::open_secrets() {
    if (config_.master_key.empty()) return secrets_.open_with_key_file(config_.master_key_file);
    std::string key = bytes_of_hex(config_.master_key);
    auto opened = secrets_.open(key);
    explicit_bzero(key.data(), key.size());
    return opened;
}

Result<void> Application::start() {
    if (auto opened = open_stores(); !opened) return opened;
    if (auto kept = open_admin_token(); !kept) return kept;
    if (auto opened = backend_.open(); !opened) return opened;
    if (auto opened = builds_.open(); !opened) return opened;
    dispatcher_.start();
    gateway_.start();
    if (auto listening = server_.start(); !listening) return listening;
    await_signal();
    print_start_block();
    return {};
}

/// The row comes before the file: a start that ends in between leaves a token that nobody knows, and the next
/// start replaces it.
Result<void> Application::open_admin_token() {
    auto kept = directory_.read_admin_token();
    if (!kept) return kept.error();
    auto token = keys_.ensure_admin(*kept);
    if (!token) return token.error();
    if (!*token) return {};
    if (auto written = directory_.write_admin_token((*token)->text); !written) return written;
    if ((*token)->replaces)
        logger_.warn(
            "the file admin-token was missing or held no valid token: a new admin token was made and the one "
            "of the first start is revoked",
            {{"file", directory_.path("admin-token")}});
    return {};
}

void Application::print_start_block() const {
    StartBlock block;
    block.address = config_.listen_address;
    block.port = server_.local_port();
    block.secure = !config_.tls_cert.empty();
    block.data_dir = directory_.root();
    block.backend = config_.backend;
    block.capabilities = backend_.capabilities_json();
    block.runtimes = runtimes_.found();
    block.has_token_file = ::access(directory_.path("admin-token").c_str(), F_OK) == 0;
    std::cout << start_block_text(block) << std::flush;
}

int Application::run() {
    loop_.run();
    close_stores();
    return clean_ ? 0 : 1;
}

void Application::await_signal() {
    signals_.add(SIGTERM);
    signals_.add(SIGINT);
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
        if (error) return;
        begin_shutdown(signal);
        // Whoever asks twice does not want to wait; the spawner ends the workers when we are gone.
        signals_.async_wait([](const boost::system::error_code& failed, int) {
            if (!failed) ::_exit(1);
        });
    });
}

void Application::begin_shutdown(int signal) {
    if (stopping_) return;
    stopping_ = true;
    logger_.info("stopping: no new connections, running calls may finish",
                 {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"},
                  {"deadline_ms", config_.drain_timeout.count()}});
    drain_deadline_ = clock_.steady() + config_.drain_timeout;
    api_.set_draining();
    api_.stop();
    drain_timer_.expires_at(drain_deadline_);
    drain_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        clean_ = false;
        logger_.warn("the drain deadline has passed: calls that still run are cut off");
        stop_dispatcher(milliseconds(0));
    });
    // Exchanges first: a call that came in on an open connection is still served.
    server_.stop([this] {
        const auto left = std::chrono::duration_cast<milliseconds>(drain_deadline_ - clock_.steady());
        stop_dispatcher(std::max(left, milliseconds(0)));
    });
}

void Application::stop_dispatcher(milliseconds patience) {
    if (dispatcher_stopping_) return;
    dispatcher_stopping_ = true;
    dispatcher_.stop(patience, [this](bool clean) {
        drain_timer_.cancel();
        clean_ = clean_ && clean;
        stop_builds();
    });
}

void Application::stop_builds() {
    // It waits for its threads, and they may wait for the loop: not here.
    const auto next = [this] { boost::asio::post(loop_, [this] { stop_backend(); }); };
    const bool taken = pool_.submit([this, next] {
        builds_.stop();
        next();
    });
    if (!taken) next();
}

void Application::stop_backend() {
    backend_.stop([this] { loop_.stop(); });
}

void Application::close_stores() {
    pool_.stop();
    logs_.stop();
    keys_.flush_last_used();
    logger_.info("stopped", {{"clean", clean_ ? "true" : "false"}});
}

}  // namespace hks::app
