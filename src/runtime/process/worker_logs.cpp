// SPDX-License-Identifier: Apache-2.0
// What a worker prints, on its way to the log sink: bounded, UTF-8, given to the call that was running.
#include "process/worker.hpp"

#include <atomic>

namespace hks::runtime {

namespace {
constexpr size_t kept_last_words = 20;
}

uint32_t Worker::started_id() const {
    if (parts_.page == nullptr) return 0;
    // The worker writes it while we read; it is only a hint until the worker is dead.
    return __atomic_load_n(static_cast<const uint32_t*>(parts_.page), __ATOMIC_RELAXED);
}

std::string_view Worker::running_invocation() {
    const uint32_t id = started_id();
    if (id == 0) return {};
    if (const SentCall* entry = calls_.find(id))
        return concurrent_ && calls_.size() > 1 ? "" : entry->invocation.text();
    if (id == last_finished_ && !concurrent_) return last_finished_invocation_.text();
    return {};
}

void Worker::on_output(std::string_view line, bool is_stderr) {
    if (is_stderr && !line.empty()) {
        if (last_words_.size() >= kept_last_words) last_words_.pop_front();
        last_words_.push_back(to_utf8(line.substr(0, 500)));
    }
    write_log(is_stderr ? LogLevel::warn : LogLevel::info, is_stderr ? "stderr" : "stdout",
              running_invocation(), line);
}

void Worker::write_log(LogLevel level, std::string_view stream, std::string_view invocation,
                       std::string_view text) {
    if (binding_.logs == nullptr || !binding_.version) return;
    uint64_t dropped = 0;
    if (!gate_.admit(text.size(), context_.clock.steady(), dropped)) return;
    FunctionLogRecord record;
    record.time = context_.clock.wall();
    record.workspace = binding_.version->workspace;
    record.function = binding_.version->function;
    record.function_id = binding_.version->function_id;
    record.version = binding_.version->number;
    if (dropped > 0) {
        FunctionLogRecord note = record;
        note.level = LogLevel::warn;
        note.stream = "platform";
        note.message = std::to_string(dropped) +
                       " lines were dropped here: the function prints faster than lines are kept";
        binding_.logs->write(std::move(note));
    }
    record.level = level;
    record.stream = stream;
    record.invocation_id = invocation;
    while (text.ends_with('\n')) text.remove_suffix(1);
    record.message = to_utf8(text.substr(0, max_log_line));
    if (text.size() > max_log_line) record.message += " … (cut)";
    binding_.logs->write(std::move(record));
}

}  // namespace hks::runtime
