// SPDX-License-Identifier: Apache-2.0
#include "api/deploy_body.hpp"

#include <hks/core/base64.hpp>

#include <nlohmann/json.hpp>

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::api;
using nlohmann::json;

namespace {

Result<DeployBody> read(const json& body, const FunctionSpec& base = {}) {
    return read_deploy_body("application/json", body.dump(), base, {});
}

Result<DeployBody> read_form(const std::vector<std::array<std::string, 3>>& parts) {
    std::string body;
    for (const auto& [name, filename, content] : parts) {
        body += "--xyz\r\nContent-Disposition: form-data; name=\"" + name + "\"";
        if (!filename.empty()) body += "; filename=\"" + filename + "\"";
        body += "\r\n\r\n" + content + "\r\n";
    }
    return read_deploy_body("multipart/form-data; boundary=xyz", body + "--xyz--\r\n", {}, {});
}

bool names(const Result<DeployBody>& result, const std::string& field) {
    if (result) return false;
    for (const auto& wrong : result.error().fields)
        if (wrong.field == field) return true;
    return false;
}

const std::string code = base64_encode("def handle(event): return 1\n");

}  // namespace

TEST_CASE("short forms make a spec") {
    const auto body = read({{"name", "hello"},
                            {"runtime", "python3.9"},
                            {"handler", "function.handle"},
                            {"memory", "256Mi"},
                            {"timeout", "5s"},
                            {"environment", {{"K", "V"}}},
                            {"labels", {{"team", "a"}}},
                            {"source_code", code},
                            {"filename", "function.py"}});
    REQUIRE(body.has_value());
    REQUIRE(body->spec.has_value());
    CHECK(body->spec->runtime.name == "python");
    CHECK(body->spec->runtime.version == "3.9");
    CHECK(body->spec->handler == "function.handle");
    CHECK(body->spec->resources.memory == 256ull << 20);
    CHECK(body->spec->resources.timeout == milliseconds(5000));
    CHECK(body->spec->variables.at("K") == "V");
    CHECK(body->labels->at("team") == "a");
    CHECK(body->has_code);
    CHECK(body->source.filename == "function.py");
    CHECK(body->source.file_content == "def handle(event): return 1\n");
}

TEST_CASE("bare numbers in short forms are MiB and seconds") {
    const auto body = read({{"memory", 256}, {"timeout", 5}});
    REQUIRE(body.has_value());
    CHECK(body->spec->resources.memory == 256ull << 20);
    CHECK(body->spec->resources.timeout == milliseconds(5000));
}

TEST_CASE("short forms change the base they are given and nothing else") {
    FunctionSpec base;
    base.handler = "main.handle";
    base.variables = {{"A", "1"}};
    const auto body = read({{"memory", "64Mi"}}, base);
    REQUIRE(body.has_value());
    CHECK(body->spec->handler == "main.handle");
    CHECK(body->spec->variables.at("A") == "1");
    CHECK(body->spec->resources.memory == 64ull << 20);
}

TEST_CASE("nothing said about the spec or the labels is told apart from defaults") {
    const auto body = read({{"source_code", code}});
    REQUIRE(body.has_value());
    CHECK_FALSE(body->spec.has_value());
    CHECK_FALSE(body->labels.has_value());
    CHECK(body->traffic);
}

TEST_CASE("an archive in source_code is recognised") {
    const auto body = read({{"source_code", base64_encode("PK\x03\x04 and so on and so on and so on")}});
    REQUIRE(body.has_value());
    CHECK_FALSE(body->source.archive.empty());
    CHECK(body->source.file_content.empty());
}

TEST_CASE("wrong short forms are named as the caller wrote them") {
    const auto body = read({{"memory", "many"}, {"timeout", "-1s"}, {"handler", 5}});
    CHECK(names(body, "memory"));
    CHECK(names(body, "timeout"));
    CHECK(names(body, "handler"));
}

TEST_CASE("a wrong runtime alone is INVALID_RUNTIME") {
    CHECK(read({{"name", "x"}, {"runtime", "cobol"}}).error().code == Errc::invalid_runtime);
    CHECK(read({{"runtime", "cobol"}, {"memory", "many"}}).error().code == Errc::validation_error);
}

TEST_CASE("a short form beside spec is said twice") {
    const auto body = read({{"spec", json::object()}, {"runtime", "python"}});
    CHECK(names(body, "runtime"));
    CHECK(body.error().code == Errc::validation_error);
}

TEST_CASE("unknown fields are errors, in the body and in the spec") {
    CHECK(names(read({{"nmae", "x"}}), "nmae"));
    CHECK(names(read({{"spec", {{"runtiem", "python"}}}}), "spec.runtiem"));
}

TEST_CASE("source_code must be base64 of something and its file name plain") {
    CHECK(names(read({{"source_code", "not base64!"}}), "source_code"));
    CHECK(names(read({{"source_code", ""}}), "source_code"));
    CHECK(names(read({{"source_code", code}, {"filename", "../x.py"}}), "filename"));
    CHECK(names(read({{"source_code", code}, {"filename", ".."}}), "filename"));
    CHECK(names(read({{"filename", "x.py"}}), "filename"));
}

TEST_CASE("a body that is no JSON object is refused") {
    CHECK_FALSE(read_deploy_body("application/json", "[]", {}, {}).has_value());
    CHECK_FALSE(read_deploy_body("application/json", "{", {}, {}).has_value());
    CHECK_FALSE(read_deploy_body("text/plain", "{}", {}, {}).has_value());
    CHECK_FALSE(read_deploy_body("application/json", std::string(500, '['), {}, {}).has_value());
}

TEST_CASE("a form takes the JSON body of the route as its spec") {
    const auto body =
        read_form({{"spec", "", R"({"name": "f", "spec": {"handler": "a.b"}, "traffic": false})"},
                   {"archive", "a.py", "x = 1"}});
    REQUIRE(body.has_value());
    CHECK(body->name == "f");
    CHECK(body->spec->handler == "a.b");
    CHECK_FALSE(body->traffic);
    CHECK(body->source.filename == "a.py");
}

TEST_CASE("a form takes a whole function.yaml as its spec") {
    const auto body =
        read_form({{"spec", "",
                    "apiVersion: hks.io/v1\nkind: Function\nmetadata: {name: hello, labels: {a: b}}\n"
                    "spec:\n  runtime: {name: python}\n  handler: main.handler\n"},
                   {"archive", "", "x = 1"}});
    REQUIRE(body.has_value());
    CHECK(body->name == "hello");
    CHECK(body->labels->at("a") == "b");
    CHECK(body->spec->handler == "main.handler");
}

TEST_CASE("a form takes a bare spec in YAML beside the fields name, labels and traffic") {
    const auto body = read_form({{"spec", "", "runtime: {name: node}\nhandler: index.handle\n"},
                                 {"name", "", "hello"},
                                 {"labels", "", R"({"a": "b"})"},
                                 {"traffic", "", "false"}});
    REQUIRE(body.has_value());
    CHECK(body->name == "hello");
    CHECK(body->spec->runtime.name == "node");
    CHECK(body->labels->at("a") == "b");
    CHECK_FALSE(body->traffic);
}

TEST_CASE("the part spec is read for what it is, in YAML of either style as in JSON") {
    struct Row {
        const char* spec;
        const char *name, *handler, *version;
    };
    const Row rows[] = {
        {"name: yy\nspec:\n  runtime: {name: python, version: 3.10}\n  handler: a.b\n", "yy", "a.b", "3.10"},
        {"{name: yy, spec: {handler: a.b, runtime: {name: python, version: 3.10}}}", "yy", "a.b", "3.10"},
        {"name: yy\nruntime: python3.10\nhandler: a.b\n", "yy", "a.b", "3.10"},
        {"{apiVersion: hks.io/v1, kind: Function, metadata: {name: yy}, spec: {handler: a.b}}", "yy", "a.b",
         ""},
        {"# a comment\n  apiVersion: hks.io/v1\n  kind: Function\n  metadata: {name: yy}\n"
         "  spec: {handler: a.b}\n",
         "yy", "a.b", ""},
        {"\"kind\": Function\n\"apiVersion\": hks.io/v1\nmetadata: {name: yy}\nspec: {handler: a.b}\n", "yy",
         "a.b", ""},
        {"{handler: a.b, runtime: {name: python, version: 3.10}}", "", "a.b", "3.10"},
        {"handler: a.b\nenvironment: {variables: {text: \"\\nkind: x\"}}\n", "", "a.b", ""},
    };
    for (const Row& row : rows) {
        INFO(row.spec);
        const auto body = read_form({{"spec", "", row.spec}});
        REQUIRE(body.has_value());
        CHECK(body->name == row.name);
        REQUIRE(body->spec.has_value());
        CHECK(body->spec->handler == row.handler);
        CHECK(body->spec->runtime.version == row.version);
    }
}

TEST_CASE("short forms and labels in YAML keep what they mean as text, and errors have lines") {
    const auto body = read_form({{"spec", "",
                                  "name: f\nmemory: 256\ntimeout: 5\ntraffic: false\n"
                                  "labels: {release: 1.10}\nenvironment: {V: 1.20}\n"}});
    REQUIRE(body.has_value());
    CHECK(body->spec->resources.memory == 256ull << 20);
    CHECK(body->spec->resources.timeout == milliseconds(5000));
    CHECK(body->spec->variables.at("V") == "1.20");
    CHECK(body->labels->at("release") == "1.10");
    CHECK_FALSE(body->traffic);
    const auto wrong = read_form({{"spec", "", "name: f\nspec:\n  runtiem: python\n"}});
    REQUIRE(names(wrong, "spec.runtiem"));
    CHECK(wrong.error().fields[0].line == 3);
}

TEST_CASE("a manifest's workspace is told, and no YAML at all is said so") {
    const auto body = read_form(
        {{"spec", "", "{apiVersion: hks.io/v1, kind: Function, metadata: {name: a, workspace: other}}"}});
    REQUIRE(body.has_value());
    CHECK(body->workspace == "other");
    CHECK_FALSE(read_form({{"spec", "", "a: [1"}}).has_value());
    CHECK_FALSE(read_form({{"spec", "", "- a\n- b\n"}}).has_value());
}

TEST_CASE("everything that a new function lacks is told with everything else that is wrong") {
    const auto create = [](const json& body) {
        return read_deploy_body("application/json", body.dump(), {}, {}, true);
    };
    const auto body = create({{"name", "Bad_"},
                              {"runtime", "python"},
                              {"memory", "9Gi"},
                              {"timeout", "1h"},
                              {"foo", 1},
                              {"source_code", "!!"}});
    for (const char* field : {"name", "memory", "timeout", "foo", "source_code"}) CHECK(names(body, field));
    CHECK(body.error().fields.size() == 5);
    CHECK(names(create({{"foo", 1}}), "name"));
    CHECK(names(create({{"foo", 1}}), "source_code"));
    CHECK(create({{"name", 5}, {"source_code", 5}}).error().fields.size() == 2);
    CHECK(create({{"name", "a"}, {"source_code", code}}).has_value());
    // As a form: the name or the code may be in parts of their own.
    const auto form = [](const std::string& spec, const std::string& more) {
        const std::string text = "--xyz\r\nContent-Disposition: form-data; name=\"spec\"\r\n\r\n" + spec +
                                 "\r\n" + more + "--xyz--\r\n";
        return read_deploy_body("multipart/form-data; boundary=xyz", text, {}, {}, true);
    };
    const std::string archive =
        "--xyz\r\nContent-Disposition: form-data; name=\"archive\"; filename=\"a.py\"\r\n\r\nx = 1\r\n";
    const std::string unknown = "--xyz\r\nContent-Disposition: form-data; name=\"zzz\"\r\n\r\n1\r\n";
    const auto both = form("handelr: a.b", unknown);
    for (const char* field : {"spec.handelr", "zzz", "name", "source_code"}) CHECK(names(both, field));
    const std::string manifest = "{apiVersion: hks.io/v1, kind: Function, metadata: {name: a}, spec: {x: 1}}";
    CHECK(form(manifest, archive).error().fields.size() == 1);
    CHECK(form("name: a", archive).has_value());
}

TEST_CASE("a form with parts that nobody knows, or that contradict each other, is refused") {
    CHECK(names(read_form({{"code", "", "x"}}), "code"));
    CHECK(names(read_form({{"traffic", "", "maybe"}}), "traffic"));
    CHECK(names(read_form({{"archive", "", ""}}), "archive"));
    CHECK(names(read_form({{"spec", "", R"({"name": "a"})"}, {"name", "", "b"}}), "name"));
    CHECK(names(
        read_form({{"spec", "", json{{"name", "a"}, {"source_code", code}}.dump()}, {"archive", "", "x"}}),
        "archive"));
}
