// SPDX-License-Identifier: Apache-2.0
// pip and npm for real, without a network: packages are made here.
#include "integration/build/build_world.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>

using namespace hks;
using namespace hks::build;
using namespace hks::build::test;
using namespace std::chrono_literals;

namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// A wheel by hand: a zip with a module and three files about it.
std::string wheel(const std::string& name, const std::string& module, const std::string& requires_ = "") {
    using namespace hks::archive::test;
    const std::string info = name + "-1.0.dist-info/";
    ArchiveMaker maker(Format::zip);
    maker.file(name + ".py", module);
    maker.file(info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n" + requires_);
    maker.file(info + "WHEEL",
               "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
    maker.file(info + "RECORD",
               name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n");
    return maker.bytes();
}

Files python_with(const std::string& requirements) {
    return {{"function.py", "import thing\ndef handle(event): return thing.word\n"},
            {"requirements.txt", requirements},
            {"wheels/thing-1.0-py3-none-any.whl", wheel("thing", "word = 'x'\n")}};
}

const std::string from_bundle = "--no-index\n--find-links wheels\n# a comment\nthing==1.0\n";

Files node_with(const std::string& extra = "") {
    return {{"index.js", "exports.handle = () => require('thing')\n"},
            {"package.json",
             R"({"name": "f", "version": "1.0.0", "dependencies": {"thing": "file:thing"})" + extra + "}"},
            {"thing/package.json", R"({"name": "thing", "version": "1.0.0", "main": "i.js"})"},
            {"thing/i.js", "module.exports = 'x'\n"}};
}

bool has_tool(const std::string& command) {
    if (std::system((command + " >/dev/null 2>&1").c_str()) == 0) return true;
    WARN(command << " does not work here: not tested");
    return false;
}

bool has_pip() {
    return has_tool("/usr/bin/python3 -m pip --version");
}
bool has_npm() {
    return has_tool("npm --version");
}

}  // namespace

TEST_CASE("requirements.txt is installed into the bundle") {
    if (!has_pip()) return;
    BuildWorld world;
    const auto version = world.build(world.spec("python"), python_with(from_bundle));
    const std::string log = world.log(version);
    INFO(log);
    REQUIRE(version.status == "success");
    CHECK(hks::test::read_file(world.bundle(version) / "_deps/thing.py") == "word = 'x'\n");
    CHECK(contains(log, "installing 1 requirement"));
    CHECK(contains(log, "Successfully installed thing-1.0"));
    CHECK(fs::exists(world.bundle(version) / "_deps/__pycache__"));
    CHECK(world.leftovers() == 0);
}

TEST_CASE("the same requirements are installed once, and give the same digest when installed anew") {
    if (!has_pip()) return;
    BuildWorld world;
    const auto one = world.build(world.spec("python"), python_with(from_bundle));
    REQUIRE(one.status == "success");
    const auto same = world.build(world.spec("python"), python_with(from_bundle));
    CHECK(same.digest == one.digest);
    CHECK_FALSE(contains(world.log(same), "Successfully installed"));
    BuildWorld elsewhere;
    CHECK(elsewhere.build(elsewhere.spec("python"), python_with(from_bundle)).digest == one.digest);
}

TEST_CASE("requirements that name no file of the bundle outlive a change of the code") {
    if (!has_pip()) return;
    const hks::test::TemporaryFolder index;
    hks::test::write_file(index.path() / "thing-1.0-py3-none-any.whl", wheel("thing", "word = 'x'\n"));
    setenv("PIP_FIND_LINKS", index.path().c_str(), 1);
    setenv("PIP_NO_INDEX", "1", 1);
    BuildWorld world;
    const auto one =
        world.build(world.spec("python"), Files{{"function.py", "a = 1\n"}, {"requirements.txt", "thing\n"}});
    INFO(world.log(one));
    REQUIRE(one.status == "success");
    const auto start = std::chrono::steady_clock::now();
    const auto two =
        world.build(world.spec("python"), Files{{"function.py", "a = 2\n"}, {"requirements.txt", "thing\n"}});
    const auto took = std::chrono::steady_clock::now() - start;
    unsetenv("PIP_FIND_LINKS");
    unsetenv("PIP_NO_INDEX");
    CHECK(two.status == "success");
    CHECK(two.digest != one.digest);
    CHECK(contains(world.log(two), "1 requirement as installed before"));
    CHECK(hks::test::read_file(world.bundle(two) / "_deps/thing.py") == "word = 'x'\n");
    CHECK(fs::exists(world.bundle(two) / "_deps/__pycache__"));
    CHECK(took < 2s);
}

TEST_CASE("pyproject.toml is enough") {
    if (!has_pip()) return;
    BuildWorld world;
    Files files = python_with("");
    files.erase("requirements.txt");
    files["pyproject.toml"] =
        "[project]\nname = 'f'\nversion = '1'\ndependencies = ['thing @ file:///nowhere/t.whl']\n";
    const auto version = world.build(world.spec("python"), files);
    INFO(world.log(version));
    CHECK(version.status == "failed");
    CHECK(contains(world.log(version), "installing 1 requirement"));
    files["pyproject.toml"] = "[project]\nname = 'f'\n";
    CHECK(world.build(world.spec("python"), files).status == "success");
    files["pyproject.toml"] = "[project\n";
    const auto broken = world.build(world.spec("python"), files);
    CHECK(broken.status == "failed");
    CHECK(contains(broken.error, "pyproject.toml"));
}

TEST_CASE("a requirement that does not exist fails the version in pip's words") {
    if (!has_pip()) return;
    BuildWorld world;
    const auto version = world.build(world.spec("python"), python_with("--no-index\nnosuch-package\n"));
    CHECK(version.status == "failed");
    INFO(version.error);
    CHECK(version.error.starts_with("pip: "));
    CHECK(contains(version.error, "nosuch-package"));
    CHECK(contains(world.log(version), "ERROR: No matching distribution"));
    CHECK(world.leftovers() == 0);
    CHECK(world.backend.starts == 0);
}

TEST_CASE("a file of the bundle cannot stand in for a module of pip") {
    if (!has_pip()) return;
    BuildWorld world;
    Files files = python_with(from_bundle);
    files["json.py"] = "raise SystemExit('imported')\n";
    files["pip.py"] = "raise SystemExit('imported')\n";
    const auto version = world.build(world.spec("python"), files);
    INFO(world.log(version));
    CHECK(version.status == "success");
}

TEST_CASE("packages that a bundle brings stay as they are without requirements") {
    BuildWorld world;
    const auto version =
        world.build(world.spec("python"), Files{{"function.py", ""}, {"_deps/own.py", "x = 1\n"}});
    REQUIRE(version.status == "success");
    CHECK(hks::test::read_file(world.bundle(version) / "_deps/own.py") == "x = 1\n");
}

TEST_CASE("where pip found a local file is not part of the bundle") {
    if (!has_pip()) return;
    BuildWorld world;
    const auto version =
        world.build(world.spec("python"), python_with("./wheels/thing-1.0-py3-none-any.whl\n"));
    INFO(world.log(version));
    REQUIRE(version.status == "success");
    CHECK_FALSE(fs::exists(world.bundle(version) / "_deps/thing-1.0.dist-info/direct_url.json"));
    CHECK_FALSE(contains(hks::test::read_file(world.bundle(version) / "_deps/thing-1.0.dist-info/RECORD"),
                         "direct_url"));
}

TEST_CASE("stop during pip ends it and fails the version") {
    if (!has_pip()) return;
    const hks::test::TemporaryFolder marks;
    BuildWorld world;
    Files files{{"function.py", ""},
                {"requirements.txt", "--no-index\n./slow\n"},
                {"slow/setup.py", "import os, time\nopen('" + marks.file("pid") +
                                      "', 'w').write(str(os.getpid()))\n"
                                      "time.sleep(120)\n"},
                {"slow/pyproject.toml",
                 "[build-system]\nrequires = []\nbuild-backend = 'backend'\n"
                 "backend-path = ['.']\n"},
                {"slow/backend.py", "exec(open('setup.py').read())\n"}};
    const auto version = world.start(world.spec("python"), files);
    for (int i = 0; i < 3000 && hks::test::read_file(marks.file("pid")).empty(); ++i)
        std::this_thread::sleep_for(10ms);
    const std::string pid = hks::test::read_file(marks.file("pid"));
    INFO(world.log(version));
    REQUIRE_FALSE(pid.empty());
    const auto start = std::chrono::steady_clock::now();
    world.service->stop();
    CHECK(std::chrono::steady_clock::now() - start < 5s);
    const auto ended = world.wait(version);
    CHECK(ended.status == "failed");
    CHECK(contains(ended.error, "server is stopping"));
    std::this_thread::sleep_for(200ms);
    CHECK(!contains(hks::test::read_file("/proc/" + pid + "/cmdline"), "slow"));
    CHECK(world.leftovers() == 0);
}

TEST_CASE("package.json is installed by npm, without a lock file and with one") {
    if (!has_npm()) return;
    BuildWorld world;
    const auto version = world.build(world.spec("node"), node_with());
    const std::string log = world.log(version);
    INFO(log);
    REQUIRE(version.status == "success");
    CHECK(contains(log, "installing 1 dependency"));
    CHECK(hks::test::read_file(world.bundle(version) / "node_modules/thing/i.js") ==
          "module.exports = 'x'\n");
    CHECK_FALSE(fs::exists(world.bundle(version) / "package-lock.json"));

    Files locked = node_with();
    locked["package-lock.json"] =
        R"({"name": "f", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {
            "": {"name": "f", "version": "1.0.0", "dependencies": {"thing": "file:thing"}},
            "node_modules/thing": {"resolved": "thing", "link": true}, "thing": {"version": "1.0.0"}}})";
    const auto by_lock = world.build(world.spec("node"), locked);
    INFO(world.log(by_lock));
    CHECK(by_lock.status == "success");
    CHECK(fs::exists(world.bundle(by_lock) / "node_modules/thing/i.js"));
    CHECK(world.leftovers() == 0);
}

TEST_CASE("npm gives the same digest twice") {
    if (!has_npm()) return;
    BuildWorld one, two;
    const auto first = one.build(one.spec("node"), node_with());
    REQUIRE(first.status == "success");
    CHECK(two.build(two.spec("node"), node_with()).digest == first.digest);
    CHECK(one.build(one.spec("node"), node_with()).digest == first.digest);
}

TEST_CASE("a bundle with its node_modules, or without dependencies, does not need npm") {
    BuildWorld world;
    Files files = node_with();
    files["node_modules/thing/i.js"] = "own";
    const auto own = world.build(world.spec("node"), files);
    REQUIRE(own.status == "success");
    CHECK(hks::test::read_file(world.bundle(own) / "node_modules/thing/i.js") == "own");
    const auto none =
        world.build(world.spec("node"), Files{{"index.js", ""}, {"package.json", R"({"type": "module"})"}});
    CHECK(none.status == "success");
    CHECK_FALSE(contains(world.log(none), "installing"));
}

TEST_CASE("a package.json that is not JSON is named") {
    BuildWorld world;
    const auto version = world.build(world.spec("node"), Files{{"index.js", ""}, {"package.json", "{"}});
    CHECK(version.status == "failed");
    CHECK(contains(version.error, "package.json"));
}

TEST_CASE("a dependency that does not exist fails the version in npm's words") {
    if (!has_npm()) return;
    BuildWorld world;
    Files files = node_with();
    files.erase("thing/package.json");
    files.erase("thing/i.js");
    files["package.json"] =
        R"({"name": "f", "version": "1.0.0", "dependencies": {"thing": "file:thing.tgz"}})";
    const auto version = world.build(world.spec("node"), files);
    INFO(world.log(version));
    CHECK(version.status == "failed");
    CHECK(version.error.starts_with("npm: "));
    CHECK(world.leftovers() == 0);
}

TEST_CASE("a dependency that links out of the bundle is refused") {
    if (!has_npm()) return;
    const hks::test::TemporaryFolder outside;
    hks::test::write_file(outside.path() / "package.json", R"({"name": "thing", "version": "1.0.0"})");
    BuildWorld world;
    Files files{{"index.js", ""},
                {"package.json", R"({"name": "f", "version": "1.0.0", "dependencies": {"thing": "file:)" +
                                     outside.path().string() + R"("}})"}};
    const auto version = world.build(world.spec("node"), files);
    INFO(world.log(version));
    CHECK(version.status == "failed");
    CHECK(contains(version.error, "leads out of the bundle"));
}

TEST_CASE("a postinstall that never ends is ended by the time limit, with what it started") {
    if (!has_npm()) return;
    const hks::test::TemporaryFolder marks;
    BuildWorld world;
    world.timeout = 8s;
    world.restart();
    Files files = node_with();
    files["package.json"] = R"({"name": "f", "version": "1.0.0", "dependencies": {"thing": "file:thing"},
        "scripts": {"postinstall": "setsid sh -c 'echo $$ > )" +
                            marks.file("pid") + R"(; exec sleep 120' & sleep 120"}})";
    const auto version = world.build(world.spec("node"), files);
    INFO(world.log(version));
    CHECK(version.status == "failed");
    CHECK(contains(version.error, "longer than a build may take"));
    const std::string pid = hks::test::read_file(marks.file("pid"));
    REQUIRE_FALSE(pid.empty());
    std::this_thread::sleep_for(100ms);
    CHECK(!contains(hks::test::read_file("/proc/" + pid.substr(0, pid.size() - 1) + "/cmdline"), "sleep"));
    CHECK(world.leftovers() == 0);
}
