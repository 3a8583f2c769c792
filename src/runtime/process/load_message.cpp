// SPDX-License-Identifier: Apache-2.0
#include "process/load_message.hpp"

#include <hks/runtime/runtime_table.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hks::runtime {

std::vector<std::pair<std::string, std::string>> function_environment(const LaunchSpec& spec,
                                                                      const LoadMessage& load) {
    const Version& version = *spec.version;
    const std::string folder = load.interpreter.substr(0, load.interpreter.rfind('/'));
    std::string path = "/usr/local/bin:/usr/bin:/bin";
    if (folder != "/usr/bin" && folder != "/bin" && folder != "/usr/local/bin") path = folder + ":" + path;
    std::vector<std::pair<std::string, std::string>> out{{"PATH", path},
                                                         {"HOME", load.temporary},
                                                         {"TMPDIR", load.temporary},
                                                         {"LANG", "C.UTF-8"},
                                                         {"TZ", "UTC"}};
    const auto set = [&out](const std::string& name, const std::string& value) {
        const auto at =
            std::find_if(out.begin(), out.end(), [&](const auto& entry) { return entry.first == name; });
        if (at == out.end())
            out.emplace_back(name, value);
        else
            at->second = value;
    };
    for (const auto& [name, value] : spec.environment) set(name, value);
    set("HKS_FUNCTION_NAME", version.function);
    set("HKS_FUNCTION_VERSION", std::to_string(version.number));
    set("HKS_WORKSPACE_NAME", version.workspace);
    set("_HANDLER", version.spec.handler);
    return out;
}

std::string load_json(const LaunchSpec& spec, const LoadMessage& load) {
    const Version& version = *spec.version;
    nlohmann::json message = {{"handler", version.spec.handler},
                              {"code", load.code},
                              {"function", version.function},
                              {"version", version.number},
                              {"workspace", version.workspace},
                              {"memory_mb", version.spec.resources.memory >> 20},
                              {"concurrency", version.spec.scaling.concurrency},
                              {"timeout_ms", version.spec.resources.timeout.count()},
                              {"smoke", spec.smoke}};
    const uint64_t storage = version.spec.resources.ephemeral_storage;
    message["sandbox"] = {{"code", load.sandbox_code}, {"tmp_bytes", storage}, {"file_bytes", storage}};
    message["files"] = nlohmann::json::array();
    message["functions"] = nlohmann::json::array();
    for (const Language& language : RuntimeTable::languages()) {
        if (language.name != version.spec.runtime.name) continue;
        for (const auto file : language.default_files) message["files"].push_back(std::string(file));
        for (const auto function : language.default_functions)
            message["functions"].push_back(std::string(function));
    }
    auto& environment = message["environment"] = nlohmann::json::object();
    for (const auto& [name, value] : function_environment(spec, load)) environment[name] = value;
    return message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace hks::runtime
