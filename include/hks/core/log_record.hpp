// SPDX-License-Identifier: Apache-2.0
#pragma once
// One line that a function printed or the platform printed about it, on its way to the log store.

#include <hks/core/clock.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace hks {

enum class LogLevel : uint8_t { debug, info, warn, error };

std::string_view level_name(LogLevel level);  ///< "debug" "info" "warn" "error"
bool level_from_name(std::string_view name, LogLevel& out);

struct FunctionLogRecord {
    WallTime time{};
    std::string workspace;
    std::string function;
    std::string function_id;    ///< tells a deleted function from its successor of the same name; "" = does not matter
    int version = 0;
    LogLevel level = LogLevel::info;
    std::string stream;         ///< "stdout" "stderr" "log" (logging/console) "platform"
    std::string invocation_id;  ///< "" when the line belongs to no invocation
    std::string message;        ///< without the last newline; UTF-8; more than one line only for a traceback
};

/// Takes lines. write() never blocks and never fails: what cannot be kept is counted and dropped. Loop thread.
class FunctionLogSink {
  public:
    virtual ~FunctionLogSink() = default;
    virtual void write(FunctionLogRecord record) = 0;
};

}  // namespace hks
