// SPDX-License-Identifier: Apache-2.0
#include "server_main.hpp"

#include "application.hpp"
#include "config_files.hpp"

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace hks::app {
namespace {

int fail(const Error& error) {
    std::cerr << "error: " << error.message << "\n";
    for (const auto& field : error.fields) std::cerr << "  " << field.field << ": " << field.message << "\n";
    return 1;
}

Result<ServerCommand> read_command(int argc, char** argv) {
    ConfigInput input;
    input.arguments.assign(argv, argv + argc);
    input.environment = [](const char* name) -> const char* { return std::getenv(name); };
    input.root = ::geteuid() == 0;
    input.cores = std::thread::hardware_concurrency();
    input.check_files = check_files;
    return read_server_command(input);
}

void prepare_process() {
    // A client that goes away is an error of one write, not the end of the server.
    std::signal(SIGPIPE, SIG_IGN);
    // What must be private is made with its own mode; code must be readable by the users that functions run
    // as.
    ::umask(022);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
}

int serve(const ServerConfig& config, runtime::Spawner& spawner) {
    DataDirectory directory(config.data_dir);
    if (auto opened = directory.open(); !opened) return fail(opened.error());
    auto databases = open_databases(directory);
    if (!databases) return fail(databases.error());
    Application application(config, directory, spawner, std::move(*databases));
    if (auto started = application.start(); !started) return fail(started.error());
    return application.run();
}

}  // namespace

int run_server(int argc, char** argv) {
    // First of all: the child must see no thread, no secret, no lock and none of our limits.
    auto spawner = runtime::Spawner::fork();
    if (!spawner) return fail(spawner.error());
    auto command = read_command(argc, argv);
    if (!command) {
        std::cerr << describe_config_error(command.error());
        return 2;
    }
    switch (command->action) {
        case ServerAction::help:
            std::cout << server_help();
            return 0;
        case ServerAction::config_reference:
            std::cout << config_reference();
            return 0;
        case ServerAction::run:
            break;
    }
    prepare_process();
    try {
        return serve(command->config, **spawner);
    } catch (const std::exception& failure) {
        return fail(Error(Errc::internal, std::string("The server had to stop: ") + failure.what()));
    }
}

}  // namespace hks::app
