// SPDX-License-Identifier: Apache-2.0
// How an instance comes into the world.
#include "process/backend_impl.hpp"
#include "process/embedded.hpp"
#include "process/load_message.hpp"
#include "process/requests.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hks::runtime {

namespace {

constexpr int functions_go_first = 500;  // oom_score_adj
constexpr const char* node_boot_line =
    "const f=require('fs'),s=f.readFileSync(5,'utf8');f.closeSync(5);"
    "const "
    "m=new(require('module'))('hks_worker');m.filename='hks_worker.js';m.paths=[];m._compile(s,'hks_worker."
    "js')";

Error system_error(const char* what) {
    return Error(Errc::provider_error, std::string("cannot make ") + what + " for an instance (" +
                                           std::strerror(errno) +
                                           "): raise the limits of the server or lower max_instances");
}

void close_all(std::vector<int>& descriptors) {
    for (const int fd : descriptors)
        if (fd >= 0) ::close(fd);
    descriptors.clear();
}

void copy_text(char* out, size_t room, const std::string& text) {
    const size_t n = std::min(room - 1, text.size());
    std::memcpy(out, text.data(), n);
    out[n] = 0;
}

std::string zygote_key(const std::string& interpreter, const std::string& workspace) {
    return interpreter + "\n" + workspace;
}

/// V8 sizes its heap at boot; the cgroup has the last word on all of it.
std::vector<std::string> node_flags(uint64_t memory) {
    const uint64_t megabytes = memory >> 20;
    const uint64_t heap = megabytes > 96 ? megabytes - std::max<uint64_t>(32, megabytes / 10)
                                         : std::max<uint64_t>(megabytes * 2 / 3, 16);
    const uint64_t nursery = std::clamp<uint64_t>(megabytes / 32, 1, 16);
    return {"--max-old-space-size=" + std::to_string(heap),
            "--max-semi-space-size=" + std::to_string(nursery)};
}

}  // namespace

CgroupLimits ProcessBackend::Impl::limits_of(const ResourceSpec& resources) const {
    CgroupLimits limits;
    limits.memory = resources.memory;
    limits.cpu = resources.cpu;
    limits.cpu_limit = resources.cpu_limit;
    limits.processes = options_.max_processes;
    return limits;
}

std::string ProcessBackend::Impl::code_of(const LaunchSpec& spec) const {
    return spec.bundle_path.empty() ? options_.bundles + "/" + spec.version->digest : spec.bundle_path;
}

void ProcessBackend::Impl::fill_spec(Birth& birth, const WorkerParts& parts) {
    hks_sandbox_spec& spec = birth.spec;
    spec.size = sizeof spec;
    spec.wanted = layers_.wanted;
    // What the host allowed once must not silently be missing later.
    spec.required = layers_.in_force;
    if (layers_.code_path.empty()) {
        spec.wanted &= ~(1u << HKS_LAYER_CODE_READ_ONLY);
        spec.required &= ~(1u << HKS_LAYER_CODE_READ_ONLY);
    }
    if (parts.cgroup.empty()) {
        spec.wanted &= ~(1u << HKS_LAYER_CGROUP);
        spec.required &= ~(1u << HKS_LAYER_CGROUP);
        spec.subreaper = 1;
    }
    const uint32_t slot = static_cast<uint32_t>(std::max(parts.uid_slot, 0));
    spec.uid = spec.gid = options_.uid_base + slot;
    spec.processes = parts.uid_slot >= 0 ? options_.max_processes : 0;
    spec.oom_score_adj = functions_go_first;
    spec.open_files = 1024;
    spec.tmp_bytes = ResourceSpec().ephemeral_storage;
    spec.source_fd = -1;
    copy_text(spec.code_path, sizeof spec.code_path, layers_.code_path);
    copy_text(spec.work_dir, sizeof spec.work_dir, parts.work_dir);
    spec.stdout_fd = 0;
    spec.stderr_fd = 1;
    spec.connection_fd = 2;
    spec.page_fd = 3;
    const std::vector<int> members = parts.cgroup.open_members();
    for (int i = 0; i < HKS_SANDBOX_MAX_CGROUPS; i++) {
        const bool there = i < static_cast<int>(members.size());
        spec.cgroup_fd[i] = there ? static_cast<int>(birth.descriptors.size()) : -1;
        if (there) birth.descriptors.push_back(members[static_cast<size_t>(i)]);
    }
}

Result<ProcessBackend::Impl::Birth> ProcessBackend::Impl::bear(const PreparedKind& kind) {
    const bool own_uid = layers_.has(HKS_LAYER_OWN_UID);
    if (workers_.size() >= options_.max_instances || (own_uid && free_uid_slots_.empty()))
        return Error(Errc::overloaded,
                     "this host already runs as many instances as it may: raise max_instances");
    Birth birth;
    WorkerParts parts;
    int ends[2], out[2], errors[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return system_error("a socket");
    parts.connection = ends[0];
    if (::pipe2(out, O_CLOEXEC) != 0) {
        ::close(ends[0]), ::close(ends[1]);
        return system_error("a pipe");
    }
    if (::pipe2(errors, O_CLOEXEC) != 0) {
        for (const int fd : {ends[0], ends[1], out[0], out[1]}) ::close(fd);
        return system_error("a pipe");
    }
    parts.stdout_pipe = out[0];
    parts.stderr_pipe = errors[0];
    const int page = ::memfd_create("hks_page", MFD_CLOEXEC);
    void* shared = page >= 0 && ::ftruncate(page, 4096) == 0
                       ? ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0)
                       : MAP_FAILED;
    birth.descriptors = {out[1], errors[1], ends[1], page};
    if (shared == MAP_FAILED) {
        const Error error = system_error("a shared page");
        for (const int fd : {ends[0], out[0], errors[0]}) ::close(fd);
        close_all(birth.descriptors);
        return error;
    }
    parts.page = shared;
    parts.serial = ++last_serial_;
    parts.code_path = layers_.code_path;
    ResourceSpec resources;
    if (kind.memory > 0) resources.memory = kind.memory;
    parts.cgroup = cgroups_.take(limits_of(resources));
    if (own_uid) {
        parts.uid_slot = free_uid_slots_.front();
        free_uid_slots_.pop_front();
    }
    if (!layers_.has(HKS_LAYER_PRIVATE_TMP))
        parts.work_dir = instances_folder_ + "/" + std::to_string(parts.serial);
    fill_spec(birth, parts);
    birth.spec.file_bytes = kind.file_bytes;
    birth.worker = std::make_shared<Worker>(WorkerContext{loop_, clock_, *this}, std::move(parts));
    birth.worker->open();
    workers_[birth.worker->serial()] = birth.worker;
    alive_.set(static_cast<int64_t>(workers_.size()));
    starts_.add();
    schedule_sampling();
    if (!making_groups_) {
        making_groups_ = true;
        boost::asio::post(loop_, [this, token = std::weak_ptr<bool>(alive_token_)] {
            if (token.expired()) return;
            making_groups_ = false;
            while (!stopping_ && cgroups_.prepare_one()) continue;
        });
    }
    return birth;
}

Result<Zygote*> ProcessBackend::Impl::zygote_for(const std::string& interpreter,
                                                 const std::string& workspace) {
    const std::string key = zygote_key(interpreter, workspace);
    const auto found = zygotes_.find(key);
    if (found != zygotes_.end()) return found->second.get();
    auto zygote = std::make_shared<Zygote>(loop_, *this, ++last_serial_, interpreter);
    if (auto booted = zygote->boot(spawner_, layers_.code_path); !booted) return booted.error();
    logger_.debug("zygote starts", {{"interpreter", interpreter}, {"workspace", workspace}});
    return (zygotes_[key] = std::move(zygote)).get();
}

Result<std::shared_ptr<Worker>> ProcessBackend::Impl::make_worker(const PreparedKind& kind) {
    return kind.start == StartMethod::zygote ? fork_python(kind) : exec_node(kind);
}

Result<std::shared_ptr<Worker>> ProcessBackend::Impl::fork_python(const PreparedKind& kind) {
    auto zygote = zygote_for(kind.interpreter, kind.workspace);
    if (!zygote) return zygote.error();
    auto birth = bear(kind);
    if (!birth) return birth.error();
    const uint64_t serial = birth->worker->serial();
    forking_[serial] = zygote_key(kind.interpreter, kind.workspace);
    if (!layers_.code_path.empty())
        copy_text(birth->spec.code_source, sizeof birth->spec.code_source, options_.data_dir);
    (*zygote)->fork(serial, birth->spec, std::move(birth->descriptors));
    return birth->worker;
}

Result<std::shared_ptr<Worker>> ProcessBackend::Impl::exec_node(const PreparedKind& kind) {
    auto birth = bear(kind);
    if (!birth) return birth.error();
    birth->spec.wanted &= ~(1u << HKS_LAYER_CODE_READ_ONLY);
    birth->spec.required &= ~(1u << HKS_LAYER_CODE_READ_ONLY);
    birth->spec.source_fd = static_cast<int32_t>(birth->descriptors.size());
    birth->descriptors.push_back(make_memory_file("hks_worker.js", embedded_node_worker()));
    // exec makes a process dumpable again; its own /proc/self must be its own.
    birth->spec.wanted &= ~(1u << HKS_LAYER_NOT_DUMPABLE);
    birth->spec.required &= ~(1u << HKS_LAYER_NOT_DUMPABLE);
    std::vector<std::string> arguments{kind.interpreter};
    for (auto& flag : node_flags(kind.memory)) arguments.push_back(std::move(flag));
    arguments.insert(arguments.end(), {"-e", node_boot_line});
    const WorkerParts& parts = birth->worker->parts();
    const std::string temporary = parts.work_dir.empty() ? "/tmp" : parts.work_dir;
    const std::string message = execute_request(birth->worker->serial(), &birth->spec, arguments,
                                                {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8",
                                                 "TZ=UTC", "HOME=" + temporary, "TMPDIR=" + temporary});
    auto sent = spawner_.send(message, birth->descriptors);
    close_all(birth->descriptors);
    if (!sent) {
        birth->worker->start_failed(sent.error().message);
        return sent.error();
    }
    return birth->worker;
}

WorkerBinding ProcessBackend::Impl::make_binding(const LaunchSpec& spec, const Interpreter& interpreter,
                                                 const Worker& worker, const std::string& code) const {
    const WorkerParts& parts = worker.parts();
    LoadMessage load;
    load.code = parts.code_path.empty() ? code : parts.code_path;
    load.temporary = parts.work_dir.empty() ? "/tmp" : parts.work_dir;
    load.interpreter = interpreter.path;
    load.sandbox_code = std::filesystem::path(code).lexically_relative(options_.data_dir).string();
    WorkerBinding binding;
    binding.version = spec.version;
    binding.logs = spec.logs != nullptr ? spec.logs : &logs_;
    binding.load = load_json(spec, load);
    return binding;
}

void ProcessBackend::Impl::bind(Worker& worker, StartMethod start, const std::string& code) {
    worker.parts().cgroup.set_limits(limits_of(worker.version()->spec.resources));
    // A forked one enters the rest of its sandbox by itself when it reads LOAD.
    if (start == StartMethod::zygote || layers_.code_path.empty()) return worker.send_load();
    bindings_[worker.serial()] = code;
    // Before HELLO it may not have entered its sandbox yet; worker_said_hello() comes back to it.
    if (worker.said_hello()) bind_code(worker);
}

void ProcessBackend::Impl::bind_code(Worker& worker) {
    const uint64_t serial = worker.serial();
    const auto found = bindings_.find(serial);
    if (found == bindings_.end() || worker.version() == nullptr) return;
    const uint64_t tmp_bytes = worker.version()->spec.resources.ephemeral_storage;
    if (auto sent = spawner_.send(bind_request(serial, found->second, layers_.code_path, tmp_bytes)); sent)
        return;
    boost::asio::post(loop_, [this, serial, token = std::weak_ptr<bool>(alive_token_)] {
        if (!token.expired()) code_bound(serial, EPIPE);
    });
}

void ProcessBackend::Impl::want_prepared(const PreparedKind& kind, milliseconds delay) {
    for (const auto& worker : pool_.want(kind)) worker->abandon();
    schedule_refill(delay);
}

void ProcessBackend::Impl::schedule_refill(milliseconds delay) {
    prepared_.set(static_cast<int64_t>(pool_.size()));
    schedule_surplus();
    if (refill_scheduled_ || stopping_ || spawner_lost_ || !pool_.missing()) return;
    refill_scheduled_ = true;
    refill_timer_.expires_after(delay);
    refill_timer_.async_wait(
        [this, token = std::weak_ptr<bool>(alive_token_)](const boost::system::error_code& error) {
            if (token.expired() || error) return;
            refill_scheduled_ = false;
            refill();
        });
}

void ProcessBackend::Impl::schedule_surplus() {
    const auto at = pool_.next_surplus();
    if (surplus_scheduled_ || stopping_ || !at) return;
    surplus_scheduled_ = true;
    surplus_timer_.expires_at(*at);
    surplus_timer_.async_wait(
        [this, token = std::weak_ptr<bool>(alive_token_)](const boost::system::error_code& error) {
            if (token.expired() || error) return;
            surplus_scheduled_ = false;
            for (const auto& worker : pool_.surplus(clock_.steady())) worker->abandon();
            schedule_surplus();
        });
}

bool ProcessBackend::Impl::makes_way() {
    const bool starting = std::any_of(workers_.begin(), workers_.end(), [](const auto& entry) {
        return entry.second->state() == Worker::State::starting;
    });
    if (!starting || postponed_ >= most_postponements) {
        postponed_ = 0;
        return false;
    }
    postponed_++;
    return true;
}

/// A few at a time; worker_said_hello() and worker_gone() come back for the next ones.
void ProcessBackend::Impl::refill() {
    if (makes_way()) return schedule_refill(refill_delay);
    while (refilling_.size() < most_refills && !stopping_ && !spawner_lost_) {
        const auto kind = pool_.missing();
        if (!kind) break;
        auto worker = make_worker(*kind);
        if (!worker) return schedule_refill(refill_back_off);
        refilling_.insert((*worker)->serial());
        pool_.add(*kind, std::move(*worker));
    }
    prepared_.set(static_cast<int64_t>(pool_.size()));
}

}  // namespace hks::runtime
