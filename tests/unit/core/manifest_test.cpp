// SPDX-License-Identifier: Apache-2.0
#include <hks/core/function.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

using namespace hks;
using nlohmann::json;

namespace {

/// "field:line" of everything that was refused.
std::vector<std::string> refused(const std::string& text) {
    std::vector<std::string> out;
    const auto result = parse_manifest(text);
    if (!result)
        for (const auto& field : result.error().fields)
            out.push_back(field.field + ":" + std::to_string(field.line));
    return out;
}

using Fields = std::vector<std::string>;

const std::string head = "apiVersion: hks.io/v1\nkind: Function\nmetadata: {name: hello}\n";  // three lines

std::string with_spec(const std::string& spec) {
    return head + "spec:\n" + spec;
}

}  // namespace

TEST_CASE("the manifest of the contract is read") {
    const auto manifest = parse_manifest(R"(apiVersion: hks.io/v1
kind: Function
metadata: {name: hello, workspace: default, labels: {team: a}}
spec:
  source: {path: ./src}              # a comment
  runtime: {name: python, version: "3.11"}
  handler: main.handler
  trigger: {type: http, path: /hello, methods: [GET, POST], auth: {type: public}}
  resources: {memory: 128Mi, cpu: 100m, cpuLimit: null, timeout: 30s, queueTimeout: null, idleTimeout: 60s, ephemeralStorage: 512Mi}
  scaling: {minScale: 0, maxScale: 100, concurrency: 1, target: null, metric: concurrency, scaleDownDelay: 30s, warm: 0, queueSize: 1000}
  environment: {variables: {K: V}, secrets: [{name: ENV_NAME, secretName: db, secretKey: url}]}
  network: full
)");
    REQUIRE(manifest.has_value());
    CHECK(manifest->name == "hello");
    CHECK(manifest->workspace == "default");
    CHECK(manifest->labels == std::map<std::string, std::string>{{"team", "a"}});
    CHECK(manifest->spec.runtime == RuntimeSpec{"python", "3.11"});
    CHECK(manifest->spec.triggers[0].path == "/hello");
}

TEST_CASE("a manifest may leave its spec out") {
    CHECK(parse_manifest(head).value().spec.triggers.size() == 1);
}

TEST_CASE("an unquoted version keeps its digits") {
    CHECK(parse_manifest(with_spec("  runtime: {name: python, version: 3.10}\n"))->spec.runtime.version ==
          "3.10");
    CHECK(parse_manifest(with_spec("  runtime: {name: node, version: 20}\n"))->spec.runtime.version == "20");
}

TEST_CASE("environment values are kept as they are written") {
    const auto spec =
        parse_manifest(
            with_spec("  environment:\n    variables: {A: 1.10, B: yes, C: true, D: 0x1F, E: \"5\", F: 1e3, "
                      "G: '', H: 2026-11-23, I: 007}\n"))
            ->spec;
    CHECK(spec.variables == std::map<std::string, std::string>{{"A", "1.10"},
                                                               {"B", "yes"},
                                                               {"C", "true"},
                                                               {"D", "0x1F"},
                                                               {"E", "5"},
                                                               {"F", "1e3"},
                                                               {"G", ""},
                                                               {"H", "2026-11-23"},
                                                               {"I", "007"}});
}

TEST_CASE("a name that looks like a number is a name") {
    CHECK(parse_manifest("apiVersion: hks.io/v1\nkind: Function\nmetadata: {name: 007}\n")->name == "007");
}

TEST_CASE("quoted scalars stay texts") {
    CHECK(refused(with_spec("  scaling: {warm: \"1\"}\n")) == Fields{"spec.scaling.warm:5"});
    CHECK(refused(with_spec("  scaling: {warm: !!str 1}\n")) == Fields{"spec.scaling.warm:5"});
    CHECK(refused(with_spec("  trigger: {enabled: 'true'}\n")) == Fields{"spec.trigger.enabled:5"});
}

TEST_CASE("numbers follow the core schema") {
    CHECK(parse_manifest(with_spec("  scaling: {warm: 0x10, queueSize: 0o17, minScale: +3}\n"))
              ->spec.scaling.warm == 16);
    CHECK(refused(with_spec("  scaling: {warm: 1_000}\n")) == Fields{"spec.scaling.warm:5"});
    CHECK(refused(with_spec("  scaling: {warm: .inf}\n")) == Fields{"spec.scaling.warm:5"});
    CHECK(refused(with_spec("  scaling: {warm: 99999999999999999999}\n")) == Fields{"spec.scaling.warm:5"});
}

TEST_CASE("every wrong field is named with its line, in the order of the text") {
    CHECK(refused(with_spec("  handler: /abs\n"
                            "  resources:\n"
                            "    memory: 1Mi\n"
                            "    memroy: 2\n"
                            "  triggers:\n"
                            "    - {path: /a}\n"
                            "    - path: api\n"
                            "      methods:\n"
                            "        - GET\n"
                            "        - FETCH\n"
                            "extra: 1\n")) == Fields{"spec.handler:5", "spec.resources.memory:7",
                                                     "spec.resources.memroy:8", "spec.triggers[1].path:11",
                                                     "spec.triggers[1].methods[1]:14", "extra:15"});
}

TEST_CASE("a missing field has the line of what it is missing from") {
    CHECK(refused("apiVersion: hks.io/v1\nkind: Function\nmetadata:\n  labels: {}\n") ==
          Fields{"metadata.name:3"});
    CHECK(refused(with_spec("  environment:\n    secrets:\n      - name: A\n        secretName: s\n")) ==
          Fields{"spec.environment.secrets[0].secretKey:7"});
}

TEST_CASE("apiVersion and kind must be ours") {
    CHECK(refused("kind: Function\nmetadata: {name: a}\n") == Fields{"apiVersion:0"});
    CHECK(refused("apiVersion: v2\nkind: Deployment\nmetadata: {name: a}\n") ==
          Fields{"apiVersion:1", "kind:2"});
    CHECK(refused("{}") == Fields{"apiVersion:0", "kind:0", "metadata.name:0"});
}

TEST_CASE("metadata is checked") {
    CHECK(refused("apiVersion: hks.io/v1\nkind: Function\nmetadata:\n  name: Hello\n  workspace: a_b\n  "
                  "labels: {-a: b}\n  x: 1\n") ==
          Fields{"metadata.name:4", "metadata.workspace:5", "metadata.labels.-a:6", "metadata.x:7"});
}

TEST_CASE("duplicate keys are errors") {
    CHECK(refused(head + "spec: {}\nspec: {}\n") == Fields{"spec:5"});
    CHECK(refused(with_spec("  scaling:\n    warm: 1\n    warm: 2\n")) == Fields{"spec.scaling.warm:7"});
    CHECK(refused(R"({"apiVersion": "hks.io/v1", "kind": "Function", "kind": "Function"})") ==
          Fields{"kind:1"});
    // The surrogate pair sends this one through the JSON parser.
    CHECK_THAT(parse_manifest(R"({"apiVersion": "\ud83d\ude00", "kind": "Function", "kind": "Function"})")
                   .error()
                   .message,
               Catch::Contains("kind twice"));
}

TEST_CASE("aliases work, with the line of their use") {
    const auto manifest =
        parse_manifest(with_spec("  triggers:\n    - &t {path: /a, name: a, methods: &m [GET]}\n"
                                 "    - {path: /b, methods: *m}\n"
                                 "  environment: {variables: {A: &v 1.10, B: *v}}\n"));
    REQUIRE(manifest.has_value());
    CHECK(manifest->spec.triggers[1].methods == std::vector<std::string>{"GET"});
    CHECK(manifest->spec.variables.at("B") == "1.10");
    CHECK(refused(with_spec("  triggers:\n    - &t {path: /a, name: a}\n    - *t\n")) ==
          Fields{"spec.triggers[1].name:7"});
}

TEST_CASE("a billion laughs are cut short") {
    std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 30; ++i) {
        const auto p = std::to_string(i - 1);
        text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int k = 0; k < 10; ++k) text += (k ? ", *a" : "*a") + p;
        text += "]\n";
    }
    const auto result = parse_manifest(text);
    REQUIRE_FALSE(result.has_value());
    CHECK_THAT(result.error().message, Catch::Contains("too many entries"));
}

TEST_CASE("strange texts are refused with a sentence") {
    const auto text = GENERATE(
        as<std::string>{}, "", "# only a comment\n", "---\n", "null", "7", "hello", "[]", "- a\n- b\n",
        "a: &a [*a]\n", "a: *nothing\n", "a: b: c\n", "\t- x\n", "{", "a: 'x", "? [a, b]\n: c\n",
        "{a: 1}: 2\n", "a: !secret x\n", "a: !!binary x\n", "%YAML 9.9\n---\na: 1\n", head + "---\n" + head,
        "<<: {a: 1}\n", std::string("a: \0b", 5), "a: \xff\n", std::string(5'000, '['),
        std::string(100'000, '{'), "a: " + std::string(1 << 20, 'x'), std::string(2'000, '-') + " x", "!",
        "&", "*", "|", ">", "@", "`", "%", "a: |9999999999999\n  x\n");
    INFO(text.substr(0, 60));
    const auto result = parse_manifest(text);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Errc::validation_error);
    CHECK(result.error().message.size() > 20);
}

TEST_CASE("depth and number of nodes are bounded") {
    std::string deep = "x";
    for (int i = 0; i < 100; ++i) deep = "[" + deep + "]";
    CHECK_THAT(parse_manifest("a: " + deep).error().message, Catch::Contains("nested too deep"));
    std::string wide = "a: [";
    for (int i = 0; i < 20'000; ++i) wide += "1,";
    CHECK_THAT(parse_manifest(wide + "1]").error().message, Catch::Contains("too many entries"));
}

TEST_CASE("JSON is read too, with surrogate pairs and tabs") {
    const auto manifest = parse_manifest(
        "{\n\t\"apiVersion\": \"hks.io/v1\",\n\t\"kind\": \"Function\",\n\t\"metadata\": {\"name\":\"a\"},\n"
        "\t\"spec\": {\"environment\": {\"variables\": {\"A\": \"\\ud83d\\ude00 \\/ 3.10\"}}}\n}\n");
    REQUIRE(manifest.has_value());
    CHECK(manifest->spec.variables.at("A") == "\xf0\x9f\x98\x80 / 3.10");
}

TEST_CASE("JSON has lines as well") {
    CHECK(refused(
              "{\"apiVersion\": "
              "\"hks.io/"
              "v1\",\n\"kind\":\"Function\",\n\"metadata\":{\"name\":\"a\"},\n\"spec\":{\n\"hander\":1}}") ==
          Fields{"spec.hander:5"});
}

TEST_CASE("a byte order mark and Windows line ends do no harm") {
    CHECK(parse_manifest("\xef\xbb\xbf"
                         "apiVersion: hks.io/v1\r\nkind: Function\r\nmetadata:\r\n  name: a\r\n")
              .has_value());
}

TEST_CASE("a spec printed as JSON is read by the YAML reader") {
    const auto spec =
        parse_manifest(
            with_spec("  runtime: python3.11\n  environment: {variables: {A: \"x\\ny\", B: '3.10'}}\n"))
            ->spec;
    CHECK(parse_spec_text(spec_to_json(spec).dump(2)).value() == spec);
}

TEST_CASE("a bare spec is read from YAML, with lines") {
    CHECK(parse_spec_text("runtime: {name: python, version: 3.10}\n")->runtime.version == "3.10");
    CHECK(parse_spec_text("").has_value());
    const auto result = parse_spec_text("runtime: python3\nhandlr: x\n");
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().fields[0].field == "spec.handlr");
    CHECK(result.error().fields[0].line == 2);
}

TEST_CASE("the limits of the server reach the manifest") {
    CHECK(parse_manifest(with_spec("  resources: {memory: 4Gi}\n"), {4ull << 30}).has_value());
}

TEST_CASE("random damage to a manifest never throws") {
    const std::string good = with_spec(
        "  runtime: {name: python, version: \"3.11\"}\n  triggers:\n    - &a {path: /a}\n    - *a\n"
        "  environment:\n    variables: {A: |\n        x}\n");
    std::mt19937 random(7);
    constexpr std::string_view alphabet = "{}[]:,-?&*!|>'\"%@`#\n\t ~ax1\\";
    for (int i = 0; i < 3'000; ++i) {
        std::string text = good;
        for (size_t n = 1 + random() % 4; n > 0; --n)
            text[random() % text.size()] = alphabet[random() % alphabet.size()];
        CHECK_NOTHROW((void)parse_manifest(text));
    }
}

TEST_CASE("the schema closes every object and knows every field that a spec prints") {
    const auto schema = manifest_json_schema();
    CHECK(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema");
    const auto& properties = schema["$defs"]["spec"]["properties"];
    auto spec =
        parse_manifest(
            with_spec(
                "  source: {path: x}\n  runtime: python3.11\n  handler: a.b\n  trigger: {path: /x, methods: "
                "[GET], auth: {type: token}}\n"))
            ->spec;
    const auto printed = spec_to_json(spec);
    for (const auto& [key, value] : printed.items()) {
        INFO(key);
        REQUIRE(properties.contains(key));
        if (!value.is_object() || key == "runtime") continue;
        CHECK(properties[key]["additionalProperties"] == false);
        for (const auto& [inner, unused] : value.items())
            CHECK(properties[key]["properties"].contains(inner));
    }
    for (const auto& [key, value] : printed["triggers"][0].items())
        CHECK(schema["$defs"]["trigger"]["properties"].contains(key));
}

TEST_CASE("every field of the schema is one that the reader knows") {
    const auto schema = manifest_json_schema();
    for (const auto& [key, value] : schema["$defs"]["spec"]["properties"].items()) {
        const auto result = spec_from_json(json{{key, nullptr}});
        CHECK(result.has_value());
        if (!value.contains("properties")) continue;
        for (const auto& [inner, unused] : value["properties"].items()) {
            INFO(key << "." << inner);
            CHECK(spec_from_json(json{{key, {{inner, nullptr}}}}).has_value());
        }
    }
    for (const auto& [key, value] : schema["$defs"]["trigger"]["properties"].items())
        CHECK(spec_from_json(json{{"trigger", {{key, nullptr}}}}).has_value());
}
