// SPDX-License-Identifier: Apache-2.0
// What the spawner and the zygotes report, and how everything that a worker had goes away after it.
#include "process/backend_impl.hpp"
#include "process/requests.hpp"
#include "process/sampler.hpp"
#include "process/unix_message.hpp"

#include <hks/core/units.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <unistd.h>

namespace hks::runtime {

namespace {
constexpr milliseconds clean_every{10};
constexpr milliseconds sample_every{100};
}  // namespace

void ProcessBackend::Impl::listen_to_spawner() {
    spawner_socket_.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [this, token = std::weak_ptr<bool>(alive_token_)](const boost::system::error_code& error) {
            if (!error && !token.expired()) on_spawner_readable();
        });
}

void ProcessBackend::Impl::on_spawner_readable() {
    std::array<char, 256> buffer;
    std::vector<int> none;
    while (true) {
        const long size = receive_message(spawner_socket_.native_handle(), buffer, none);
        if (size < 0 && errno == EAGAIN) return listen_to_spawner();
        if (size <= 0) return spawner_gone();
        SpawnReport report;
        if (static_cast<size_t>(size) != sizeof report) continue;
        std::memcpy(&report, buffer.data(), sizeof report);
        handle(report);
    }
}

void ProcessBackend::Impl::handle(const SpawnReport& report) {
    if (report.kind == ReportKind::bound) return code_bound(report.serial, report.status);
    auto found = workers_.find(report.serial);
    if (report.serial == 0 && report.kind == ReportKind::exited)
        found = std::find_if(workers_.begin(), workers_.end(),
                             [&](const auto& entry) { return entry.second->pid() == report.pid; });
    if (found == workers_.end()) {
        // A zygote, an orphan; or somebody who was given up before we heard of it.
        if (report.kind == ReportKind::started && report.pid > 1 &&
            std::none_of(zygotes_.begin(), zygotes_.end(),
                         [&](const auto& entry) { return entry.second->serial() == report.serial; }))
            ::kill(report.pid, SIGKILL);
        return;
    }
    const auto worker = found->second;
    switch (report.kind) {
        case ReportKind::started:
            worker->process_started(report.pid);
            break;
        case ReportKind::exited:
            worker->process_exited(report.status);
            break;
        case ReportKind::failed:
            worker->start_failed(std::string("could not be forked: ") + std::strerror(report.status));
            break;
        default:
            break;
    }
}

void ProcessBackend::Impl::zygote_report(Zygote&, const SpawnReport& report) {
    if (report.kind == ReportKind::started || report.kind == ReportKind::failed)
        forking_.erase(report.serial);
    if (report.kind != ReportKind::ready) handle(report);
}

void ProcessBackend::Impl::zygote_gone(Zygote& zygote) {
    const auto found = std::find_if(zygotes_.begin(), zygotes_.end(),
                                    [&](const auto& entry) { return entry.second.get() == &zygote; });
    if (found == zygotes_.end()) return;
    const std::string key = found->first;
    const bool was_warm = zygote.warm();
    zygotes_.erase(found);
    if (!stopping_)
        logger_.warn("a zygote has died; the next start boots a new one",
                     {{"interpreter", key.substr(0, key.find('\n'))}});
    std::vector<uint64_t> lost;
    for (const auto& [serial, asked] : forking_)
        if (asked == key) lost.push_back(serial);
    for (const uint64_t serial : lost) {
        forking_.erase(serial);
        const auto worker = workers_.find(serial);
        if (worker == workers_.end()) continue;
        const auto held = worker->second;
        held->start_failed(was_warm
                               ? "lost its zygote before it was forked"
                               : "could not be forked: the interpreter did not start, see the server's log");
    }
}

void ProcessBackend::Impl::code_bound(uint64_t serial, int error) {
    const auto worker = workers_.find(serial);
    if (bindings_.erase(serial) == 0 || worker == workers_.end()) return;
    const auto held = worker->second;
    if (error == 0) return held->send_load();
    held->start_failed(std::string("could not be given its code: ") + std::strerror(error));
}

void ProcessBackend::Impl::worker_said_hello(Worker& worker) {
    bind_code(worker);
    if (refilling_.erase(worker.serial()) > 0) schedule_refill(milliseconds(0));
}

void ProcessBackend::Impl::worker_gone(Worker& worker) {
    const auto found = workers_.find(worker.serial());
    if (found == workers_.end()) return;
    const auto held = found->second;
    workers_.erase(found);
    forking_.erase(worker.serial());
    bindings_.erase(worker.serial());
    pool_.forget(worker);
    // One that never said HELLO: the next one hardly will.
    schedule_refill(refilling_.erase(worker.serial()) > 0 ? refill_back_off : milliseconds(0));
    alive_.set(static_cast<int64_t>(workers_.size()));
    ends_.add();
    WorkerParts& parts = worker.parts();
    if (parts.cgroup.memory_kills() > 0) memory_kills_.add();
    if (parts.cgroup.empty()) sweep_orphans();
    clear_away({std::move(parts.cgroup), parts.uid_slot, parts.work_dir});
    check_stopped();
}

void ProcessBackend::Impl::sweep_orphans() {
    std::vector<int32_t> alive;
    for (const auto& [serial, worker] : workers_) alive.push_back(worker->pid());
    if (!spawner_lost_) (void)spawner_.send(sweep_request(alive));
}

bool ProcessBackend::Impl::cleared(Remains& remains) {
    if (!remains.group.remove()) {
        remains.group.kill();
        return false;
    }
    std::error_code ignored;
    if (!remains.work_dir.empty()) std::filesystem::remove_all(remains.work_dir, ignored);
    if (remains.uid_slot >= 0) free_uid_slots_.push_back(remains.uid_slot);
    return true;
}

void ProcessBackend::Impl::clear_away(Remains remains) {
    if (cleared(remains)) return;
    remains_.push_back(std::move(remains));
    schedule_cleaning();
}

void ProcessBackend::Impl::schedule_cleaning() {
    if (cleaning_) return;
    cleaning_ = true;
    clean_timer_.expires_after(clean_every);
    clean_timer_.async_wait(
        [this, token = std::weak_ptr<bool>(alive_token_)](const boost::system::error_code& error) {
            if (token.expired() || error) return;
            cleaning_ = false;
            clean();
        });
}

void ProcessBackend::Impl::clean() {
    std::erase_if(remains_, [this](Remains& remains) { return cleared(remains); });
    if (!remains_.empty()) schedule_cleaning();
    check_stopped();
}

void ProcessBackend::Impl::schedule_sampling() {
    if (cgroups_.limits_memory() || sampling_ || stopping_) return;
    sampling_ = true;
    sample_timer_.expires_after(sample_every);
    sample_timer_.async_wait(
        [this, token = std::weak_ptr<bool>(alive_token_)](const boost::system::error_code& error) {
            if (token.expired() || error) return;
            sampling_ = false;
            sample_memory();
            if (!workers_.empty()) schedule_sampling();
        });
}

void ProcessBackend::Impl::sample_memory() {
    std::vector<std::shared_ptr<Worker>> greedy;
    for (const auto& [serial, worker] : workers_) {
        const Version* version = worker->version();
        if (version == nullptr || worker->pid() <= 0 || worker->process_ended()) continue;
        const uint64_t limit = version->spec.resources.memory;
        if (memory_of(worker->pid(), limit) > limit) greedy.push_back(worker);
    }
    for (const auto& worker : greedy) {
        memory_kills_.add();
        worker->kill(
            "used more than " + format_bytes(worker->version()->spec.resources.memory) + " of memory", true);
    }
}

void ProcessBackend::Impl::spawner_gone() {
    if (spawner_lost_) return;
    spawner_lost_ = true;
    if (!stopping_)
        logger_.error("the spawner has died: no instance can be started any more; restart the server");
    const auto workers = workers_;
    for (const auto& [serial, worker] : workers) worker->parent_lost("lost the spawner of this server");
}

void ProcessBackend::Impl::stop_zygotes() {
    for (const auto& [key, zygote] : zygotes_) zygote->stop();
    zygotes_.clear();
}

void ProcessBackend::Impl::check_stopped() {
    if (!stopping_ || !stopped_ || !workers_.empty() || !remains_.empty()) return;
    stop_zygotes();
    cgroups_.remove_all();
    std::error_code ignored;
    std::filesystem::remove_all(instances_folder_, ignored);
    boost::system::error_code closed;
    spawner_socket_.close(closed);
    boost::asio::post(loop_, std::exchange(stopped_, nullptr));
}

}  // namespace hks::runtime
