// SPDX-License-Identifier: Apache-2.0
#include <hks/core/function.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

using namespace hks;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

Result<FunctionSpec> read(const char* text) {
    return spec_from_json(json::parse(text));
}

/// The fields that were refused, sorted.
std::vector<std::string> refused(const Result<FunctionSpec>& result) {
    std::vector<std::string> fields;
    if (!result)
        for (const auto& field : result.error().fields) fields.push_back(field.field);
    std::sort(fields.begin(), fields.end());
    return fields;
}

using Fields = std::vector<std::string>;

FunctionSpec random_spec(std::mt19937& random) {
    const auto one_of = [&](std::initializer_list<const char*> all) {
        return std::string(*(all.begin() + random() % all.size()));
    };
    FunctionSpec spec;
    if (random() % 2) spec.source_path = one_of({".", "./src", "/srv/x y", "\xc3\xa4"});
    if (random() % 2)
        spec.runtime = {"python", one_of({"", "3.9", "3.11"})};
    else if (random() % 2)
        spec.runtime = {"node", one_of({"", "18", "22"})};
    if (random() % 2) spec.handler = one_of({"main.handler", "src/index.handle", "a.b.c"});
    spec.triggers.clear();
    for (size_t i = random() % 4; i > 0; --i) {
        TriggerSpec trigger;
        trigger.name = "t" + std::to_string(i);
        trigger.enabled = random() % 2;
        if (random() % 2) trigger.path = one_of({"/", "/a/{b}", "/files/*"});
        if (random() % 2) trigger.methods = {"GET", "POST"};
        trigger.auth = static_cast<TriggerAuth>(random() % 3);
        spec.triggers.push_back(trigger);
    }
    auto& r = spec.resources;
    r.memory = (16ull << 20) + random() % (1ull << 30);
    r.cpu = 1 + random() % 100'000;
    if (random() % 2) r.cpu_limit = 1 + random() % 100'000;
    r.timeout = milliseconds(1 + random() % 900'000);
    if (random() % 2) r.queue_timeout = milliseconds(1 + random() % 900'000);
    r.idle_timeout = milliseconds(1 + random() % 900'000);
    r.ephemeral_storage = (1ull << 20) + random();
    auto& s = spec.scaling;
    s.min_scale = random() % 10;
    s.max_scale = 10 + random() % 90;
    s.concurrency = 1 + random() % 1'000;
    s.scale_down_delay = milliseconds(random() % 86'400'000);
    s.warm = random() % 10;
    s.queue_size = random() % 100'001;
    for (size_t i = random() % 4; i > 0; --i)
        spec.variables["V" + std::to_string(i)] = one_of({"", "x", "a\nb\"\\", "3.10"});
    for (size_t i = random() % 3; i > 0; --i)
        spec.secrets.push_back({"S" + std::to_string(i), "db", one_of({"url", "a.b_c-d"})});
    return spec;
}

}  // namespace

TEST_CASE("an empty spec has the defaults of the contract") {
    const auto spec = read("{}").value();
    CHECK(spec.resources == ResourceSpec{});
    CHECK(spec.scaling == ScalingSpec{});
    CHECK(spec.resources.memory == 128ull << 20);
    CHECK(spec.queue_timeout() == 30s);
    REQUIRE(spec.triggers.size() == 1);
    CHECK(spec.triggers[0].name == "http");
    CHECK(spec.triggers[0].auth == TriggerAuth::inherit);
}

TEST_CASE("the example of the contract is read") {
    const auto spec = read(R"({
        "source": {"path": "./src"}, "runtime": {"name": "python", "version": "3.11"}, "handler": "main.handler",
        "trigger": {"type": "http", "path": "/hello", "methods": ["GET", "POST"], "auth": {"type": "public"}},
        "resources": {"memory": "128Mi", "cpu": "100m", "cpuLimit": null, "timeout": "30s", "queueTimeout": null,
                      "idleTimeout": "60s", "ephemeralStorage": "512Mi"},
        "scaling": {"minScale": 0, "maxScale": 100, "concurrency": 1, "target": null, "metric": "concurrency",
                    "scaleDownDelay": "30s", "warm": 0, "queueSize": 1000},
        "environment": {"variables": {"K": "V"}, "secrets": [{"name": "ENV_NAME", "secretName": "db", "secretKey": "url"}]},
        "network": "full"})");
    REQUIRE(spec.has_value());
    CHECK(spec->source_path == "./src");
    CHECK(spec->runtime == RuntimeSpec{"python", "3.11"});
    CHECK(spec->handler == "main.handler");
    CHECK(spec->triggers ==
          std::vector{
              TriggerSpec{"http", "http", true, "/hello", {"GET", "POST"}, TriggerAuth::public_access}});
    CHECK(spec->resources == ResourceSpec{});
    CHECK(spec->scaling == ScalingSpec{});
    CHECK(spec->variables == std::map<std::string, std::string>{{"K", "V"}});
    CHECK(spec->secrets == std::vector{SecretRef{"ENV_NAME", "db", "url"}});
}

TEST_CASE("any spec reads back what it prints") {
    std::mt19937 random(7);
    for (int i = 0; i < 500; ++i) {
        const auto spec = random_spec(random);
        const auto text = spec_to_json(spec).dump();
        INFO(text);
        const auto read = spec_from_json(json::parse(text));
        if (!read) FAIL(read.error().message);
        CHECK(*read == spec);
    }
}

TEST_CASE("a JSON null is the same as no field") {
    const auto spec =
        read(R"({"source":null,"runtime":null,"handler":null,"trigger":null,"triggers":null,"resources":null,
                               "scaling":{"maxScale":null},"environment":{"variables":null,"secrets":null},"network":null})");
    REQUIRE(spec.has_value());
    CHECK(*spec == read("{}").value());
}

TEST_CASE("every wrong field is reported at once with its path") {
    const auto result = read(R"({"handler": 7, "resources": {"memory": "1", "timeout": "soon", "cpu": "0"},
        "scaling": {"concurrency": 0, "maxScale": "many", "queueSize": 100001, "warm": -1, "scaleDownDelay": "25h"},
        "environment": {"variables": {"1A": "x"}, "secrets": [{"name": "A", "secretName": "DB"}]}, "network": "none"})");
    CHECK(refused(result) ==
          Fields{"spec.environment.secrets[0].secretKey", "spec.environment.secrets[0].secretName",
                 "spec.environment.variables.1A", "spec.handler", "spec.network", "spec.resources.cpu",
                 "spec.resources.memory", "spec.resources.timeout", "spec.scaling.concurrency",
                 "spec.scaling.maxScale", "spec.scaling.queueSize", "spec.scaling.scaleDownDelay",
                 "spec.scaling.warm"});
    CHECK_THAT(result.error().message, Catch::Contains("12 more fields are wrong"));
}

TEST_CASE("fields that this server cannot honour are unknown to it") {
    const auto result =
        read(R"({"retry": {}, "onFailure": {}, "onSuccess": {}, "source": {"git": {}, "image": "x"},
                                 "runtime": {"name": "python", "contract": "http", "command": []},
                                 "trigger": {"type": "http", "cors": {}, "async": true}})");
    CHECK(refused(result) == Fields{"spec.onFailure", "spec.onSuccess", "spec.retry", "spec.runtime.command",
                                    "spec.runtime.contract", "spec.source.git", "spec.source.image",
                                    "spec.trigger.async", "spec.trigger.cors"});
    for (const auto& field : result.error().fields)
        CHECK_THAT(field.message, Catch::Contains("does not know"));
}

TEST_CASE("an unknown field gets a suggestion when it is a slip") {
    const auto result = read(R"({"resources": {"memroy": "128Mi"}})");
    REQUIRE(refused(result) == Fields{"spec.resources.memroy"});
    CHECK_THAT(result.error().fields[0].message, Catch::Contains("did you mean memory?"));
}

TEST_CASE("paths begin with the prefix that was given") {
    const auto result = spec_from_json(json{{"x", 1}}, {}, "");
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().fields[0].field == "x");
}

TEST_CASE("a spec that is no object is refused") {
    const auto value = GENERATE(as<std::string>{}, "[]", "7", "\"x\"", "true");
    CHECK(refused(read(value.c_str())) == Fields{"spec"});
}

TEST_CASE("memory and durations may be numbers") {
    const auto spec = read(R"({"resources": {"memory": 134217728, "timeout": 2.5, "cpu": 0.5}})").value();
    CHECK(spec.resources.memory == 128ull << 20);
    CHECK(spec.resources.timeout == 2500ms);
    CHECK(spec.resources.cpu == 500);
}

TEST_CASE("a memory that forgot its unit is told so") {
    CHECK_THAT(read(R"({"resources": {"memory": 128}})").error().message, Catch::Contains("128Mi?"));
}

TEST_CASE("memory and timeout end at the server's limits") {
    const auto spec = json::parse(R"({"resources": {"memory": "3Gi", "timeout": "1000s"}})");
    CHECK(refused(spec_from_json(spec)) == Fields{"spec.resources.memory", "spec.resources.timeout"});
    CHECK(spec_from_json(spec, {4ull << 30, 1000s}).has_value());
}

TEST_CASE("defaults bend to lower limits of the server") {
    const auto spec = spec_from_json(json::object(), {64ull << 20, 10s}).value();
    CHECK(spec.resources.memory == 64ull << 20);
    CHECK(spec.resources.timeout == 10s);
}

TEST_CASE("minScale above maxScale is refused") {
    CHECK(refused(read(R"({"scaling": {"minScale": 5, "maxScale": 4}})")) == Fields{"spec.scaling.minScale"});
    CHECK(refused(read(R"({"scaling": {"minScale": 101}})")) == Fields{"spec.scaling.minScale"});
}

TEST_CASE("counts are whole numbers within their bounds") {
    const auto value = GENERATE(as<std::string>{}, "0", "1001", "1.5", "\"1\"", "-1", "true",
                                "18446744073709551615", "1e300", "[]");
    CHECK(refused(read(("{\"scaling\": {\"concurrency\": " + value + "}}").c_str())) ==
          Fields{"spec.scaling.concurrency"});
}

TEST_CASE("scaling knows concurrency only") {
    CHECK(refused(read(R"({"scaling": {"target": 10, "metric": "rps"}})")) ==
          Fields{"spec.scaling.metric", "spec.scaling.target"});
}

TEST_CASE("a runtime may be one word or name and version") {
    CHECK(read(R"({"runtime": "python3.11"})")->runtime == RuntimeSpec{"python", "3.11"});
    CHECK(read(R"({"runtime": {"name": "nodejs", "version": "20.x"}})")->runtime ==
          RuntimeSpec{"node", "20"});
    CHECK(read(R"({"runtime": {"name": "node", "version": 20}})")->runtime == RuntimeSpec{"node", "20"});
    CHECK(read(R"({"runtime": {"name": "python3.11"}})")->runtime == RuntimeSpec{"python", "3.11"});
    CHECK(read(R"({"runtime": {"name": "python"}})")->runtime == RuntimeSpec{"python", ""});
}

TEST_CASE("a wrong runtime alone is INVALID_RUNTIME") {
    const auto text = GENERATE(
        as<std::string>{}, R"("cobol")", R"({"name": "cobol"})", R"({"name": "python", "version": "x.7"})",
        R"({"name": "python3.9", "version": "3.11"})", R"({"name": "cobol", "version": "1"})");
    CHECK(read(("{\"runtime\": " + text + "}").c_str()).error().code == Errc::invalid_runtime);
}

TEST_CASE("a wrong runtime beside another mistake is a VALIDATION_ERROR") {
    CHECK(read(R"({"runtime": "cobol", "handler": 1})").error().code == Errc::validation_error);
}

TEST_CASE("a version that is a fraction must be text") {
    CHECK(refused(read(R"({"runtime": {"name": "python", "version": 3.1}})")) ==
          Fields{"spec.runtime.version"});
}

TEST_CASE("a version needs a name") {
    CHECK(refused(read(R"({"runtime": {"version": "3.11"}})")) == Fields{"spec.runtime.name"});
}

TEST_CASE("handlers stay within the bundle") {
    const auto good =
        GENERATE(as<std::string>{}, "main.handler", "handler", "a/b/c.fn", "pkg.mod.func", "_x.y-z", "app");
    CHECK(read(json{{"handler", good}}.dump().c_str()).has_value());
}

TEST_CASE("handlers that leave the bundle or hold other characters are refused") {
    const auto bad = GENERATE(as<std::string>{}, "/main.handler", "../main.handler", "a/../b.c", "a..b",
                              "a//b.c", "a/", ".hidden", "a/.b.c", "main.handler.", "main handler", "main;ls",
                              "main\nx", "\xc3\xa4.b", "a\\b", "$x", std::string(257, 'x'));
    CHECK(refused(read(json{{"handler", bad}}.dump().c_str())) == Fields{"spec.handler"});
}

TEST_CASE("triggers without a name get one that is free") {
    const auto spec =
        read(R"({"triggers": [{"path": "/a"}, {"name": "http", "path": "/b"}, {"path": "/c"}]})").value();
    CHECK(spec.triggers[0].name == "http-2");
    CHECK(spec.triggers[1].name == "http");
    CHECK(spec.triggers[2].name == "http-3");
}

TEST_CASE("an empty list of triggers closes the function to the outside") {
    CHECK(read(R"({"triggers": []})")->triggers.empty());
}

TEST_CASE("two triggers of one name, and trigger beside triggers, are refused") {
    CHECK(refused(read(R"({"triggers": [{"name": "a"}, {"name": "a"}]})")) ==
          Fields{"spec.triggers[1].name"});
    CHECK(refused(read(R"({"trigger": {}, "triggers": []})")) == Fields{"spec.triggers"});
}

TEST_CASE("methods are upper-cased, once each") {
    CHECK(read(R"({"trigger": {"methods": ["get", "GET", "Post"]}})")->triggers[0].methods ==
          std::vector<std::string>{"GET", "POST"});
}

TEST_CASE("wrong triggers are refused field by field") {
    CHECK(refused(read(R"({"trigger": {"type": "cron", "schedule": "* * * * *"}})")) ==
          Fields{"spec.trigger.type"});
    CHECK(refused(read(R"({"trigger": {"path": "/api/x"}})")) == Fields{"spec.trigger.path"});
    CHECK(refused(read(R"({"trigger": {"methods": []}})")) == Fields{"spec.trigger.methods"});
    CHECK(refused(read(R"({"trigger": {"methods": ["GET", "ANY", 1]}})")) ==
          Fields{"spec.trigger.methods[1]", "spec.trigger.methods[2]"});
    CHECK(refused(read(R"({"trigger": {"auth": {"type": "jwt"}}})")) == Fields{"spec.trigger.auth.type"});
    CHECK(refused(read(R"({"trigger": {"auth": {}}})")) == Fields{"spec.trigger.auth.type"});
    CHECK(refused(read(R"({"trigger": {"auth": "public"}})")) == Fields{"spec.trigger.auth"});
    CHECK(refused(read(R"({"trigger": {"enabled": "yes", "name": "A"}})")) ==
          Fields{"spec.trigger.enabled", "spec.trigger.name"});
    CHECK(refused(read(R"({"triggers": [7]})")) == Fields{"spec.triggers[0]"});
}

TEST_CASE("a REST trigger may keep its fields in config") {
    const auto trigger = trigger_from_json(json::parse(
        R"({"name": "t", "type": "http", "config": {"path": "/x", "methods": ["GET"], "auth": {"type": "token"}}})"));
    REQUIRE(trigger.has_value());
    CHECK(*trigger == TriggerSpec{"t", "http", true, "/x", {"GET"}, TriggerAuth::token});
    CHECK(trigger_from_json(trigger_to_json(*trigger)).value() == *trigger);
    CHECK(trigger_from_json(json::parse(R"({"type": "http", "config": null})")).has_value());
}

TEST_CASE("a REST trigger that says a field twice, or strange ones, is refused") {
    const auto text = GENERATE(as<std::string>{}, R"({"path": "/a", "config": {"path": "/b"}})",
                               R"({"config": {"name": "x"}})", R"({"config": []})",
                               R"({"config": {"color": 1}})", R"({"id": "trg_1"})", "[]", "7");
    CHECK_FALSE(trigger_from_json(json::parse(text)).has_value());
}

TEST_CASE("environment values that are scalars become texts") {
    const auto spec =
        read(R"({"environment": {"variables": {"A": "x", "B": 7, "C": true, "D": ""}}})").value();
    CHECK(spec.variables ==
          std::map<std::string, std::string>{{"A", "x"}, {"B", "7"}, {"C", "true"}, {"D", ""}});
}

TEST_CASE("environment names of the platform and odd ones are refused") {
    const auto name = GENERATE(as<std::string>{}, "HKS_X", "HKS_FUNCTION_NAME", "_HANDLER", "", "1A", "A-B",
                               "A B", "A=B", "\xc3\xa4", std::string(257, 'A'));
    const auto spec = json{{"environment", {{"variables", {{name, "x"}}}}}};
    CHECK_FALSE(spec_from_json(spec).has_value());
}

TEST_CASE("PATH and the like may be set by the owner") {
    CHECK(read(R"({"environment": {"variables": {"PATH": "/x", "_A": "1", "HKSX": "1"}}})").has_value());
}

TEST_CASE("environment values that are no scalars, or hold a NUL, are refused") {
    const auto value = GENERATE(as<std::string>{}, "null", "{}", "[]", R"("a\u0000b")");
    CHECK(refused(read((R"({"environment": {"variables": {"A": )" + value + "}}}").c_str())) ==
          Fields{"spec.environment.variables.A"});
}

TEST_CASE("an environment above 64 KiB is refused") {
    const auto spec = [](size_t size) {
        return json{{"environment", {{"variables", {{"A", std::string(size, 'x')}}}}}};
    };
    CHECK(spec_from_json(spec(65'536 - 3)).has_value());
    CHECK(refused(spec_from_json(spec(65'536 - 2))) == Fields{"spec.environment.variables"});
}

TEST_CASE("one variable set twice is refused") {
    CHECK(refused(read(R"({"environment": {"variables": {"A": "x"},
        "secrets": [{"name": "A", "secretName": "s", "secretKey": "k"}, {"name": "B", "secretName": "s", "secretKey": "k"},
                    {"name": "B", "secretName": "s", "secretKey": "k"}]}})")) ==
          Fields{"spec.environment.secrets[0].name", "spec.environment.secrets[2].name"});
}

TEST_CASE("labels are short texts") {
    CHECK(labels_from_json(json{{"team", "a"}, {"app.io/x", ""}}).value().size() == 2);
    CHECK(labels_from_json(json()).value().empty());
    for (const auto& bad :
         {json{{"", "x"}}, json{{"-a", "x"}}, json{{"a", 1}}, json{{"a", "x\ny"}}, json::array(),
          json{{"a", std::string(257, 'x')}}, json{{std::string(64, 'a'), "x"}}})
        CHECK_FALSE(labels_from_json(bad).has_value());
}
