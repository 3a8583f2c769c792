// SPDX-License-Identifier: Apache-2.0
#include "process/requests.hpp"

namespace hks::runtime {

namespace {

std::string head(const SpawnerRequest& request) {
    return {reinterpret_cast<const char*>(&request), sizeof request};
}

void append_text(std::string& out, std::string_view text) {
    out += text;
    out += '\0';
}

}  // namespace

std::string execute_request(uint64_t serial, const hks_sandbox_spec* spec,
                            const std::vector<std::string>& arguments,
                            const std::vector<std::string>& environment) {
    SpawnerRequest request;
    request.op = SpawnerOp::execute;
    request.serial = serial;
    request.sandboxed = spec != nullptr;
    request.argument_count = static_cast<uint32_t>(arguments.size());
    request.environment_count = static_cast<uint32_t>(environment.size());
    std::string out = head(request);
    if (spec != nullptr) out.append(reinterpret_cast<const char*>(spec), sizeof *spec);
    for (const auto& text : arguments) append_text(out, text);
    for (const auto& text : environment) append_text(out, text);
    return out;
}

std::string bind_request(uint64_t serial, std::string_view source, std::string_view target,
                         uint64_t tmp_bytes) {
    SpawnerRequest request;
    request.op = SpawnerOp::bind_code;
    request.serial = serial;
    request.tmp_bytes = tmp_bytes;
    std::string out = head(request);
    append_text(out, source);
    append_text(out, target);
    return out;
}

std::string places_request(std::string_view instances_folder, std::span<const std::string> cgroup_parents) {
    SpawnerRequest request;
    request.op = SpawnerOp::adopt_places;
    std::string out = head(request);
    append_text(out, instances_folder);
    for (const auto& parent : cgroup_parents) append_text(out, parent);
    return out;
}

std::string probe_request(uint64_t serial, const hks_sandbox_spec& spec) {
    SpawnerRequest request;
    request.op = SpawnerOp::probe;
    request.serial = serial;
    return head(request).append(reinterpret_cast<const char*>(&spec), sizeof spec);
}

std::string sweep_request(std::span<const int32_t> alive) {
    SpawnerRequest request;
    request.op = SpawnerOp::sweep_orphans;
    return head(request).append(reinterpret_cast<const char*>(alive.data()), alive.size_bytes());
}

}  // namespace hks::runtime
