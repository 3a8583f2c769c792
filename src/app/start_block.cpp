// SPDX-License-Identifier: Apache-2.0
#include "start_block.hpp"

#include <hks/core/build_info.hpp>
#include <hks/core/json_gate.hpp>

#include <nlohmann/json.hpp>

namespace hks::app {
namespace {

std::string runtimes_text(const std::vector<runtime::Interpreter>& runtimes) {
    std::string out;
    for (const auto& found : runtimes)
        out += (out.empty() ? "" : ", ") + found.label() + " (" + found.path + ")";
    return out.empty() ? "none found: install Python 3 or Node.js where every user can read it" : out;
}

/// Layers of the sandbox that are in force, and those that are not.
std::string isolation_text(const std::string& capabilities) {
    std::string in_force, missing;
    const auto parsed = parse_json(capabilities);
    if (parsed && parsed->is_object() && parsed->contains("isolation"))
        for (const auto& [name, state] : (*parsed)["isolation"].items()) {
            if (!state.is_string()) continue;
            const auto& text = state.get_ref<const std::string&>();
            // A layer that another one makes needless is neither.
            if (text.starts_with("not used")) continue;
            std::string& list = text == "in_force" ? in_force : missing;
            list += (list.empty() ? "" : ", ") + name;
        }
    if (in_force.empty()) in_force = "none";
    return missing.empty() ? in_force : in_force + "; missing: " + missing;
}

}  // namespace

std::string start_block_text(const StartBlock& block) {
    const bool ipv6 = block.address.find(':') != std::string::npos;
    const std::string url = std::string(block.secure ? "https" : "http") + "://" +
                            (ipv6 ? "[" + block.address + "]" : block.address) + ":" +
                            std::to_string(block.port);
    std::string out = "hks " + std::string(build_version()) + " is ready\n";
    const auto line = [&out](std::string name, const std::string& value) {
        name.resize(12, ' ');
        out += "  " + name + value + "\n";
    };
    line("address", url);
    line("data", block.data_dir);
    line("backend", block.backend);
    line("runtimes", runtimes_text(block.runtimes));
    line("isolation", isolation_text(block.capabilities));
    if (block.has_token_file) line("token", "in " + block.data_dir + "/admin-token");
    return out;
}

}  // namespace hks::app
