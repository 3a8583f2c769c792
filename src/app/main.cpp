// SPDX-License-Identifier: Apache-2.0
#include "server_main.hpp"

#include <hks/cli/cli.hpp>

#include <string_view>

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "server") return hks::app::run_server(argc - 2, argv + 2);
    return hks::cli::run(argc, argv);
}
