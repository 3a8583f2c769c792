// SPDX-License-Identifier: Apache-2.0
#pragma once
// The server's own log lines (functions' lines go to observe). Text for people or one JSON object a line; control
// characters in values are escaped, so that no input can forge a line. Thread-safe, never throws.

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace hks::telemetry {

enum class Level { debug, info, warn, error, off };
enum class Format { text, json };

struct Field {
    std::string_view key;
    std::string value;
    bool number = false;  ///< JSON: written without quotes

    Field(std::string_view k, std::string_view v) : key(k), value(v) {}
    Field(std::string_view k, const char* v) : key(k), value(v) {}
    Field(std::string_view k, const std::string& v) : key(k), value(v) {}
    Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false"), number(true) {}
    template <class T>
        requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>)
    Field(std::string_view k, T v) : key(k), value(std::to_string(v)), number(true) {}
};

class Logger {
  public:
    /// Writes to stderr.
    Logger(Level level, Format format);
    /// Writes whole lines to `sink` (tests).
    Logger(Level level, Format format, void (*sink)(void*, std::string_view), void* context);
    ~Logger();
    Logger(const Logger&) = delete;
    Logger& operator=(const Logger&) = delete;

    bool enabled(Level level) const { return level >= level_; }
    void log(Level level, std::string_view message, std::initializer_list<Field> fields = {});
    void debug(std::string_view m, std::initializer_list<Field> f = {}) { log(Level::debug, m, f); }
    void info(std::string_view m, std::initializer_list<Field> f = {}) { log(Level::info, m, f); }
    void warn(std::string_view m, std::initializer_list<Field> f = {}) { log(Level::warn, m, f); }
    void error(std::string_view m, std::initializer_list<Field> f = {}) { log(Level::error, m, f); }

  private:
    struct Output;
    Level level_;
    Format format_;
    std::unique_ptr<Output> output_;
};

bool level_from_text(std::string_view text, Level& out);

}  // namespace hks::telemetry
