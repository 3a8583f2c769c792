// SPDX-License-Identifier: Apache-2.0
#include "process/host_layers.hpp"

#include "process/requests.hpp"
#include "process/unix_message.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

namespace hks::runtime {

namespace {

constexpr std::array<const char*, HKS_LAYER_COUNT> layer_names{
    "session",        "cgroup",  "user_namespace", "mount_namespace", "host_read_only", "private_tmp",
    "code_read_only", "rlimits", "own_uid",        "capabilities",    "no_new_privs",   "not_dumpable",
    "descriptors"};

bool covered(const std::string& path) {
    for (const char* folder : {"/tmp", "/var/tmp", "/dev/shm"})
        if (path == folder || path.starts_with(std::string(folder) + "/")) return true;
    return false;
}

uint32_t wanted_layers(bool root, bool cgroups, bool needs_dumpable) {
    uint32_t wanted = 0;
    for (int layer = 0; layer < HKS_LAYER_COUNT; layer++) wanted |= 1u << layer;
    if (root)
        wanted &= ~(1u << HKS_LAYER_USER_NAMESPACE);
    else
        wanted &= ~(1u << HKS_LAYER_OWN_UID);
    if (!cgroups) wanted &= ~(1u << HKS_LAYER_CGROUP);
    if (needs_dumpable) wanted &= ~(1u << HKS_LAYER_NOT_DUMPABLE);
    return wanted;
}

/// Waits for the probe's exit report.
Result<int> await_exit(Spawner& spawner) {
    std::array<char, 256> buffer;
    std::vector<int> none;
    for (int round = 0; round < 50; round++) {
        pollfd wait{spawner.socket(), POLLIN, 0};
        if (::poll(&wait, 1, 100) <= 0) continue;
        const long size = receive_message(spawner.socket(), buffer, none);
        SpawnReport report;
        if (size == 0) break;
        if (size != static_cast<long>(sizeof report)) continue;
        std::memcpy(&report, buffer.data(), sizeof report);
        if (report.kind == ReportKind::exited || report.kind == ReportKind::failed) return report.status;
    }
    return Error(Errc::provider_error,
                 "the spawner did not try a sandbox within five seconds: restart the server");
}

}  // namespace

std::vector<std::pair<std::string, std::string>> describe(const HostLayers& layers) {
    std::vector<std::pair<std::string, std::string>> out;
    for (int layer = 0; layer < HKS_LAYER_COUNT; layer++) {
        std::string state = "not used here";
        if (layers.has(static_cast<hks_layer>(layer)))
            state = "in_force";
        else if ((layers.wanted >> layer & 1u) != 0)
            state =
                std::string("missing (") + std::strerror(static_cast<int>(layers.report.error[layer])) + ")";
        out.emplace_back(layer_names[static_cast<size_t>(layer)], state);
    }
    return out;
}

std::string choose_code_path(const std::string& data_dir, const RuntimeTable& runtimes) {
    std::vector<std::string> candidates;
    if (::geteuid() == 0) candidates.emplace_back("/run/hks/code");
    if (const char* runtime_dir = std::getenv("XDG_RUNTIME_DIR"); runtime_dir && ::geteuid() != 0)
        candidates.push_back(std::string(runtime_dir) + "/hks/code");
    if (::geteuid() != 0) candidates.push_back(data_dir + "/code");
    for (const char* folder : {"/srv", "/mnt", "/media"}) candidates.emplace_back(folder);
    for (const auto& path : candidates) {
        if (covered(path) || path.size() >= sizeof(hks_sandbox_spec::code_path)) continue;
        bool in_use = false;
        for (const auto& interpreter : runtimes.found())
            in_use = in_use || interpreter.path.starts_with(path + "/");
        std::error_code error;
        if (path.ends_with("/code")) std::filesystem::create_directories(path, error);
        if (!in_use && std::filesystem::is_directory(path, error)) return path;
    }
    return "";
}

Result<HostLayers> probe_layers(Spawner& spawner, const std::string& data_dir, const RuntimeTable& runtimes,
                                Cgroups& cgroups, uint32_t uid) {
    HostLayers layers;
    layers.code_path = choose_code_path(data_dir, runtimes);
    const bool root = ::geteuid() == 0;
    layers.wanted = wanted_layers(root, cgroups.any(), !root && !cgroups.limits_memory());
    hks_sandbox_spec spec{};
    spec.size = sizeof spec;
    spec.wanted = layers.wanted;
    spec.uid = spec.gid = uid;
    spec.open_files = 1024;
    spec.tmp_bytes = 1 << 20;
    spec.stdout_fd = spec.stderr_fd = spec.connection_fd = spec.source_fd = -1;
    spec.page_fd = 0;
    std::strncpy(spec.code_source, data_dir.c_str(), sizeof spec.code_source - 1);
    std::strncpy(spec.code_path, layers.code_path.c_str(), sizeof spec.code_path - 1);
    if (layers.code_path.empty()) spec.wanted &= ~(1u << HKS_LAYER_CODE_READ_ONLY);
    const int page = ::memfd_create("hks_probe", MFD_CLOEXEC);
    if (page < 0 || ::ftruncate(page, 4096) != 0)
        return Error(Errc::provider_error, std::string("cannot make a memory file: ") + std::strerror(errno));
    Cgroup group = cgroups.take(CgroupLimits{.memory = 256u << 20});
    std::vector<int> descriptors = group.open_members();
    descriptors.insert(descriptors.begin(), page);
    for (int i = 0; i < HKS_SANDBOX_MAX_CGROUPS; i++)
        spec.cgroup_fd[i] = i + 1 < static_cast<int>(descriptors.size()) ? i + 1 : -1;
    auto sent = spawner.send(probe_request(0, spec), descriptors);
    auto status = sent ? await_exit(spawner) : Result<int>(sent.error());
    if (status && ::pread(page, &layers.report, sizeof layers.report, HKS_SANDBOX_REPORT_OFFSET) > 0)
        layers.in_force = layers.report.in_force;
    for (const int fd : descriptors) ::close(fd);
    for (int tries = 0; tries < 200 && !group.remove(); tries++) ::usleep(1000);
    if (!status) return status.error();
    if (!layers.has(HKS_LAYER_CODE_READ_ONLY)) layers.code_path.clear();
    if (!layers.has(HKS_LAYER_PRIVATE_TMP)) {
        // Then a folder of the host is all that a function has to write to.
        layers.wanted &= ~(1u << HKS_LAYER_HOST_READ_ONLY);
        layers.in_force &= ~(1u << HKS_LAYER_HOST_READ_ONLY);
    }
    return layers;
}

}  // namespace hks::runtime
