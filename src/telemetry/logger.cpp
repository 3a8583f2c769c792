// SPDX-License-Identifier: Apache-2.0
#include <hks/core/clock.hpp>
#include <hks/core/json_text.hpp>
#include <hks/telemetry/logger.hpp>

#include <array>
#include <cerrno>
#include <mutex>
#include <unistd.h>

namespace hks::telemetry {
namespace {

struct LevelNames {
    std::string_view text;
    std::string_view column;  ///< padded, so that messages line up
};

constexpr std::array<LevelNames, 5> level_names{
    {{"debug", "DEBUG"}, {"info", "INFO "}, {"warn", "WARN "}, {"error", "ERROR"}, {"off", "OFF  "}}};

const LevelNames& names_of(Level level) {
    return level_names[static_cast<size_t>(level)];
}

/// `text` as it is, but with control characters and what is not UTF-8 escaped as in JSON.
void append_plain(std::string& out, std::string_view text) {
    std::string quoted;
    append_json_string(quoted, text);
    for (size_t i = 1; i + 1 < quoted.size(); ++i) {
        if (quoted[i] == '\\' && (quoted[i + 1] == '"' || quoted[i + 1] == '\\'))
            ++i;
        else if (quoted[i] == '\\')
            out += quoted[i++];
        out += quoted[i];
    }
}

/// Quotes only where a reader could not tell otherwise where the value ends.
void append_value(std::string& out, std::string_view value) {
    const size_t begin = out.size();
    append_json_string(out, value);
    const bool simple = out.size() == begin + value.size() + 2 && !value.empty() &&
                        value.find_first_of(" =") == std::string_view::npos;
    if (!simple) return;
    out.erase(begin, 1);
    out.pop_back();
}

std::string text_line(Level level, std::string_view message, std::initializer_list<Field> fields) {
    std::string line = to_rfc3339(std::chrono::system_clock::now());
    line += ' ';
    line += names_of(level).column;
    line += ' ';
    append_plain(line, message);
    for (const auto& field : fields) {
        line += ' ';
        append_plain(line, field.key);
        line += '=';
        append_value(line, field.value);
    }
    line += '\n';
    return line;
}

/// JSON has no nan and no inf.
bool is_json_number(const Field& field) {
    const std::string_view digits =
        std::string_view(field.value).substr(field.value.starts_with('-') ? 1 : 0);
    return field.number && !digits.empty() &&
           ((digits[0] >= '0' && digits[0] <= '9') || digits == "true" || digits == "false");
}

std::string json_line(Level level, std::string_view message, std::initializer_list<Field> fields) {
    std::string line = "{\"time\":\"";
    line += to_rfc3339(std::chrono::system_clock::now());
    line += "\",\"level\":\"";
    line += names_of(level).text;
    line += "\",\"message\":";
    append_json_string(line, message);
    for (const auto& field : fields) {
        line += ',';
        append_json_string(line, field.key);
        line += ':';
        if (is_json_number(field))
            line += field.value;
        else
            append_json_string(line, field.value);
    }
    line += "}\n";
    return line;
}

}  // namespace

struct Logger::Output {
    std::mutex mutex;
    void (*sink)(void*, std::string_view) = nullptr;
    void* context = nullptr;
    bool torn = false;  ///< the last line could not be finished

    void write(std::string_view line) {
        std::lock_guard lock(mutex);
        if (sink) {
            sink(context, line);
            return;
        }
        const bool was_torn = torn;
        torn = false;
        if (was_torn) write_all("\n");
        if (!torn) write_all(line);
    }

    /// What stderr does not take (a full non-blocking pipe, a full disk) is dropped: logging holds nobody up.
    void write_all(std::string_view text) {
        const size_t size = text.size();
        while (!text.empty()) {
            const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) {
                torn = text.size() < size;
                return;
            }
            text.remove_prefix(static_cast<size_t>(n));
        }
    }
};

Logger::Logger(Level level, Format format) : Logger(level, format, nullptr, nullptr) {}

Logger::Logger(Level level, Format format, void (*sink)(void*, std::string_view), void* context)
    : level_(level), format_(format), output_(std::make_unique<Output>()) {
    output_->sink = sink;
    output_->context = context;
}

Logger::~Logger() = default;

void Logger::log(Level level, std::string_view message, std::initializer_list<Field> fields) {
    if (!enabled(level) || level == Level::off) return;
    try {
        output_->write(format_ == Format::json ? json_line(level, message, fields)
                                               : text_line(level, message, fields));
    } catch (const std::exception&) {
        // Out of memory for one line: the line is lost, its caller is not.
    }
}

bool level_from_text(std::string_view text, Level& out) {
    for (size_t i = 0; i < level_names.size(); ++i) {
        if (level_names[i].text != text) continue;
        out = static_cast<Level>(i);
        return true;
    }
    return false;
}

}  // namespace hks::telemetry
