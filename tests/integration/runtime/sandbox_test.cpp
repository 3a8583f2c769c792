// SPDX-License-Identifier: Apache-2.0
// What a function can see and do from the inside.
#include "integration/runtime/backend_fixture.hpp"

#include <catch2/catch.hpp>

namespace hks::runtime::test {

using Catch::Matchers::Contains;

namespace {

/// A Python function that evaluates the expression it is sent.
const char* evaluator = R"(
import os, sys, json, errno, socket, resource, threading, time
def attempt(f):
    try:
        return f()
    except OSError as error:
        return errno.errorcode[error.errno]
def write(path, data):
    with open(path, 'wb', buffering=0) as file:
        return file.write(data)
def handle(event):
    return json.dumps(eval(event['do']))
)";

std::string json_text(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

struct Inside {
    Backend backend;
    TestListener listener;
    std::unique_ptr<Instance> instance;

    Inside() { instance = backend.ready(backend.version("python", {{"function.py", evaluator}}), listener); }
    std::string operator()(const std::string& expression) {
        return backend.call(*instance, R"({"do": )" + json_text(expression) + "}");
    }
};

}  // namespace

TEST_CASE(
    "a function of a root server runs as a uid of its own, without groups, capabilities or a way back") {
    if (!is_root()) return;
    Inside inside;
    CHECK(inside("[os.getuid() >= 50000, os.getuid() == os.getgid() == os.geteuid(), os.getgroups()]") ==
          "[true, true, []]");
    CHECK(inside("attempt(lambda: os.setuid(0))") == "\"EPERM\"");
    CHECK(
        inside("[l.split()[1] for l in open('/proc/self/status') if l[:3] == 'Cap']") ==
        R"(["0000000000000000", "0000000000000000", "0000000000000000", "0000000000000000", "0000000000000000"])");
    CHECK(inside("[l.split()[1] for l in open('/proc/self/status') if l.startswith('NoNewPrivs')]") ==
          R"(["1"])");
}

TEST_CASE("two instances of a root server never share a uid") {
    if (!is_root()) return;
    Inside inside;
    TestListener second_listener;
    auto second =
        inside.backend.ready(inside.backend.version("python", {{"function.py", evaluator}}), second_listener);
    CHECK(inside("os.getuid()") != inside.backend.call(*second, R"x({"do": "os.getuid()"})x"));
}

TEST_CASE("the code is there, read-only, and is the working folder, although its path cannot be entered") {
    Inside inside;
    CHECK(inside("[__file__ == os.path.join(os.getcwd(), 'function.py'), os.listdir('.')]") ==
          R"([true, ["function.py"]])");
    CHECK(inside("attempt(lambda: write('new.py', b'x'))") == "\"EROFS\"");
    CHECK(inside("attempt(lambda: write('function.py', b'x'))") == "\"EROFS\"");
}

TEST_CASE("no folder of the host can be written to, whoever it may belong to") {
    Inside inside;
    const auto attempt = [&](const std::string& path) {
        return inside("attempt(lambda: write('" + path + "', b'x'))");
    };
    CHECK(attempt("/run/lock/hks-test") != "1");
    CHECK(attempt("/hks-test") != "1");
    CHECK(attempt("/tmp/mine") == "1");
    CHECK(inside("attempt(lambda: write('/dev/null', b'x'))") == "1");
    CHECK_FALSE(std::filesystem::exists("/run/lock/hks-test"));
}

TEST_CASE("/tmp is private, empty and bounded") {
    Backend backend;
    TestListener listener, other;
    const auto version = backend.version("python", {{"function.py", evaluator}});
    version->spec.resources.ephemeral_storage = 4 << 20;
    auto instance = backend.ready(version, listener);
    auto neighbour = backend.ready(version, other);
    CHECK(backend.call(*instance,
                       R"x({"do": "[os.listdir('/tmp'), os.environ['TMPDIR'], os.environ['HOME']]"})x") ==
          R"([[], "/tmp", "/tmp"])");
    CHECK(backend.call(*instance, R"x({"do": "attempt(lambda: write('/tmp/a', b'x' * 3000000))"})x") ==
          "3000000");
    // What still fits is written, then nothing more.
    CHECK(backend.call(*instance,
                       R"x({"do": "attempt(lambda: write('/tmp/b', b'x' * 3000000)) < 1300000"})x") ==
          "true");
    CHECK(backend.call(*instance, R"x({"do": "attempt(lambda: write('/tmp/c', b'x' * 3000000))"})x") ==
          "\"ENOSPC\"");
    CHECK(backend.call(
              *neighbour,
              R"x({"do": "os.listdir('/tmp') + os.listdir('/dev/shm') + os.listdir('/var/tmp')"})x") == "[]");
    CHECK_FALSE(std::filesystem::exists("/tmp/a"));
}

TEST_CASE(
    "the environment is exactly the one the contract names, with the function's own over the defaults") {
    ::setenv("HKS_TEST_SECRET_OF_THE_SERVER", "hidden", 1);
    Backend backend;
    TestListener listener;
    const auto version = backend.version("python", {{"function.py", evaluator}}, "function.handle");
    auto instance = backend.start(
        version, listener, {{"COLOUR", "blue"}, {"TZ", "Europe/Berlin"}, {"HKS_FUNCTION_NAME", "liar"}});
    REQUIRE(backend.run_until([&] { return listener.ready.has_value(); }));
    CHECK(
        backend.call(*instance, R"x({"do": "sorted(os.environ)"})x") ==
        R"(["COLOUR", "HKS_FUNCTION_NAME", "HKS_FUNCTION_VERSION", "HKS_WORKSPACE_NAME", "HOME", "LANG", "PATH", "TMPDIR", "TZ", "_HANDLER"])");
    CHECK(
        backend.call(
            *instance,
            R"x({"do": "[os.environ[k] for k in ('COLOUR','TZ','HKS_FUNCTION_NAME','HKS_FUNCTION_VERSION','HKS_WORKSPACE_NAME','_HANDLER','LANG')]"})x") ==
        R"(["blue", "Europe/Berlin", "hello", "1", "default", "function.handle", "C.UTF-8"])");
    CHECK(backend.call(*instance,
                       R"x({"do": "open('/proc/1/environ').read() if os.getuid() == 0 else ''"})x") ==
          "\"\"");
    ::unsetenv("HKS_TEST_SECRET_OF_THE_SERVER");
}

TEST_CASE("no descriptor of the server, the spawner or the zygote is open") {
    Inside inside;
    // 5 is the listing itself.
    CHECK(inside("[f for f in os.listdir('/proc/self/fd') if int(f) > 5]") == "[]");
    CHECK(inside("'hks_page' in os.readlink('/proc/self/fd/4')") == "true");
    CHECK(inside("[os.readlink('/proc/self/fd/0'), os.readlink('/proc/self/fd/1')[:5], "
                 "os.readlink('/proc/self/fd/3')[:7]]") == R"(["/dev/null", "pipe:", "socket:"])");
}

TEST_CASE("limits of files, core dumps and memory locking are set") {
    Inside inside;
    CHECK(inside("[resource.getrlimit(r)[1] for r in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, "
                 "resource.RLIMIT_FSIZE)]") == "[1024, 0, 536870912]");
    CHECK(inside("resource.getrlimit(resource.RLIMIT_AS)[0]") == "-1");
}

TEST_CASE("a fork bomb stays within its bounds and the host stays well") {
    Backend backend;
    TestListener listener;
    auto instance = backend.ready(backend.version("python", {{"function.py", R"(
import os, time
def handle(event):
    born = 0
    try:
        while True:
            if os.fork() == 0:
                while True:
                    try:
                        os.fork()
                    except OSError:
                        time.sleep(0.001)
            born += 1
    except OSError as error:
        return {'born': born, 'why': error.strerror}
)"}}),
                                  listener);
    TestCall call;
    instance->send(call);
    REQUIRE(backend.run_until([&] { return call.ended || listener.gone; }));
    CHECK(descendants_of(instance->pid()).size() <= 256);
    instance.reset();
    backend.stop();
    CHECK(backend.run_until([&] { return descendants_of(backend.spawner->pid()).empty(); }));
}

TEST_CASE("what a C library prints reaches the log, line by line, with its invocation") {
    Inside inside;
    TestCall call(R"x({"do": "[os.write(1, b'one\\ntwo'), os.write(2, b'\\xffthree\\n')]"})x");
    inside.instance->send(call);
    REQUIRE(inside.backend.run_until([&] { return call.ended && inside.backend.logs.find("three"); }));
    const auto* one = inside.backend.logs.find("one");
    REQUIRE(one);
    CHECK(one->stream == "stdout");
    CHECK(one->invocation_id == call.id.text());
    CHECK(one->function == "hello");
    CHECK(inside.backend.logs.find("three")->message == "\xef\xbf\xbdthree");
    CHECK(inside.backend.logs.find("three")->stream == "stderr");
}

TEST_CASE("the capabilities name every layer and its state") {
    Backend backend;
    const std::string text = backend.backend->capabilities_json();
    CHECK_THAT(text, Contains(R"("mount_namespace":"in_force")"));
    CHECK_THAT(text, Contains(R"("no_new_privs":"in_force")"));
    CHECK_THAT(text, Contains(R"("label":"python3.)"));
}

}  // namespace hks::runtime::test
