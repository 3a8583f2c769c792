// SPDX-License-Identifier: Apache-2.0
#include "unit/cli/scripted_server.hpp"

#include <hks/cli/cli.hpp>

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <unistd.h>

using namespace hks::cli;

namespace {

const std::string no_function = http_answer(R"({"error":"x","code":"FUNCTION_NOT_FOUND"})", "404 Not Found");

struct Output {
    int code = 0;
    std::string out, err;
};

Output run_client(std::vector<std::string> words) {
    for (const char* name : {"HKS_SERVER", "HKS_API_KEY", "HKS_WORKSPACE"}) ::unsetenv(name);
    ::setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    words.insert(words.begin(), "hks");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    std::ostringstream out, err;
    auto* old_out = std::cout.rdbuf(out.rdbuf());
    auto* old_err = std::cerr.rdbuf(err.rdbuf());
    const int code = run(static_cast<int>(arguments.size()), arguments.data());
    std::cout.rdbuf(old_out);
    std::cerr.rdbuf(old_err);
    return {code, out.str(), err.str()};
}

}  // namespace

TEST_CASE("an address that is none is wrong usage, but only where a server is needed") {
    const auto done = run_client({"--server", "foo", "function", "list"});
    CHECK(done.code == 2);
    CHECK(done.err.find("'foo'") != std::string::npos);
    CHECK(run_client({"--server", "foo", "version"}).code == 0);
    CHECK(run_client({"--server", "foo", "config", "get", "server"}).out == "foo\n");
}

TEST_CASE("an argument that is not UTF-8 is wrong usage and named") {
    const std::vector<std::vector<std::string>> lines{
        {"function", "invoke", "f", "-H", "X: \xff"},
        {"function", "invoke", "f", "--path", "/\xff"},
        {"function", "deploy", "f", "--env", "A=\xff"},
        {"function", "deploy", "f", "--label", "a=\xff"},
        {"function", "trigger", "add", "f", "--trigger-config", "path=/\xff"},
        {"token", "create", "\xff"},
        {"secret", "create", "\xff", "--from-literal", "a=b"},
    };
    for (const auto& line : lines) {
        INFO(line[0] << " " << line[1]);
        const auto done = run_client(line);
        CHECK(done.code == 2);
        CHECK(done.err.find("is not UTF-8") != std::string::npos);
    }
}

TEST_CASE("a file that is not UTF-8 is no secret and no environment") {
    const auto file = std::filesystem::temp_directory_path() / ("hks-cli-test-" + std::to_string(::getpid()));
    std::ofstream(file) << "A=\xff\xfe\n";
    const auto secret = run_client({"secret", "create", "s", "--from-file", "k=" + file.string()});
    CHECK(secret.code == 2);
    CHECK(secret.err.find("base64") != std::string::npos);
    ScriptedServer server({no_function});
    const auto deploy = run_client(
        {"--server", server.url(), "function", "deploy", "f", "--env-file", file.string(), "--path", "/"});
    CHECK(deploy.code == 2);
    CHECK(deploy.err.find("--env-file") != std::string::npos);
    std::filesystem::remove(file);
}

TEST_CASE("a verbose call shows status, every header, duration and invocation") {
    ScriptedServer server({http_answer(
        R"({"status_code": 201, "headers": {"content-type": ["text/plain"], "x-two": ["a", "b"]}, "body": "aGk=",)"
        R"( "duration_ms": 1.5, "cold_start": true, "version": 3, "invocation_id": "0123"})")});
    const auto done = run_client({"--server", server.url(), "function", "invoke", "f", "-v"});
    CHECK(done.code == 0);
    CHECK(done.out.starts_with("hi"));
    CHECK(done.err ==
          "status: 201\ncontent-type: text/plain\nx-two: a\nx-two: b\nduration: 1.5 ms\ncold start: true\n"
          "version: 3\ninvocation: 0123\n\n");
}

TEST_CASE("log lines show the whole invocation id and cannot be forged") {
    ScriptedServer server({http_answer(
        R"({"items": [{"time": "T", "level": "info", "version": 1, "invocation_id": "0006616bf9ec42090006616bf9ec4209",)"
        R"( "message": "x\u001b[31m\n2026 ERROR"}], "next_cursor": null})")});
    const auto done = run_client({"--server", server.url(), "function", "logs", "f"});
    CHECK(done.out == "T  INFO   v1  0006616bf9ec42090006616bf9ec4209  x\\x1b[31m\n    2026 ERROR\n");
}

TEST_CASE("a followed log that the server ends is an error unless the function is gone") {
    const std::string function = http_answer(R"({"id": "fn_1"})");
    const std::string stream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    {
        ScriptedServer server({function, stream, function});
        const auto done = run_client({"--server", server.url(), "function", "logs", "f", "-f"});
        CHECK(done.code == 3);
        CHECK(done.err.find("stops") != std::string::npos);
        CHECK(server.asked().back().find("/functions/fn_1 ") != std::string::npos);
    }
    ScriptedServer server({function, stream, no_function});
    const auto done = run_client({"--server", server.url(), "function", "logs", "f", "-f"});
    CHECK(done.code == 1);
    CHECK(done.err == "error: The function 'f' was deleted, and its log with it. [FUNCTION_NOT_FOUND]\n");
}
