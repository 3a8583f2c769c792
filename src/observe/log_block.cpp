// SPDX-License-Identifier: Apache-2.0
#include "log_block.hpp"

#include <algorithm>
#include <array>

namespace hks::observe {

namespace {

// A line: key since the last one, time against the key, level and kind of stream and id in one byte, version,
// then what the byte says: stream text, invocation id (16 bytes when it is 32 hex digits), message.
constexpr std::array<std::string_view, 7> streams{"",         "stdout", "stderr", "log",
                                                  "platform", "build",  "event"};
constexpr unsigned other_stream = 7;  // three bits
enum IdKind : unsigned { no_id = 0, same_id = 1, hex_id = 2, text_id = 3 };

void put_number(std::string& out, uint64_t value) {
    while (value >= 0x80) {
        out += static_cast<char>(value | 0x80);
        value >>= 7;
    }
    out += static_cast<char>(value);
}

uint64_t zigzag(int64_t value) {
    return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
int64_t unzigzag(uint64_t value) {
    return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_hex_id(std::string_view id) {
    return id.size() == 32 && std::all_of(id.begin(), id.end(), [](char c) { return hex_value(c) >= 0; });
}

void put_text(std::string& out, std::string_view text) {
    put_number(out, text.size());
    out += text;
}

class Reader {
  public:
    explicit Reader(std::string_view data) : data_(data) {}
    bool done() const { return data_.empty(); }
    bool number(uint64_t& value) {
        value = 0;
        for (int shift = 0; shift < 64 && !data_.empty(); shift += 7) {
            auto byte = static_cast<unsigned char>(data_.front());
            data_.remove_prefix(1);
            value |= static_cast<uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) return true;
        }
        return false;
    }
    bool bytes(size_t size, std::string_view& out) {
        if (size > data_.size()) return false;
        out = data_.substr(0, size);
        data_.remove_prefix(size);
        return true;
    }
    bool text(std::string& out) {
        uint64_t size = 0;
        std::string_view view;
        if (!number(size) || !bytes(size, view)) return false;
        out = view;
        return true;
    }

  private:
    std::string_view data_;
};

bool read_id(Reader& in, unsigned kind, const std::string& last, std::string& id) {
    static constexpr char digits[] = "0123456789abcdef";
    if (kind == no_id) return true;
    if (kind == text_id) return in.text(id);
    if (kind == same_id) {
        id = last;
        return true;
    }
    std::string_view raw;
    if (!in.bytes(16, raw)) return false;
    for (unsigned char byte : raw) {
        id += digits[byte >> 4];
        id += digits[byte & 15];
    }
    return true;
}

}  // namespace

int64_t to_micros(WallTime time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}
WallTime from_micros(int64_t micros) {
    return WallTime(std::chrono::microseconds(micros));
}

bool LogBlock::fits(const StoredLog& line) const {
    return empty() ||
           (data_.size() + line.record.message.size() <= max_bytes && line.key - first_key_ <= max_span);
}

void LogBlock::add(const StoredLog& line) {
    const auto& r = line.record;
    int64_t time = to_micros(r.time);
    int level = static_cast<int>(r.level);
    if (empty()) {
        first_key_ = last_key_ = line.key;
        min_time_ = max_time_ = time;
    }
    put_number(data_, static_cast<uint64_t>(line.key - last_key_));
    put_number(data_, zigzag(line.key - time));
    auto known = std::find(streams.begin(), streams.end(), r.stream);
    auto stream = known == streams.end() ? other_stream : static_cast<unsigned>(known - streams.begin());
    unsigned id = r.invocation_id.empty()       ? no_id
                  : r.invocation_id == last_id_ ? same_id
                  : is_hex_id(r.invocation_id)  ? hex_id
                                                : text_id;
    last_id_ = r.invocation_id;
    data_ += static_cast<char>(static_cast<unsigned>(level) | stream << 2 | id << 5);
    put_number(data_, static_cast<uint64_t>(r.version));
    if (stream == other_stream) put_text(data_, r.stream);
    if (id == text_id) put_text(data_, r.invocation_id);
    if (id == hex_id)
        for (size_t i = 0; i < 32; i += 2)
            data_ +=
                static_cast<char>(hex_value(r.invocation_id[i]) * 16 + hex_value(r.invocation_id[i + 1]));
    put_text(data_, r.message);
    last_key_ = line.key;
    min_time_ = std::min(min_time_, time);
    max_time_ = std::max(max_time_, time);
    max_level_ = std::max(max_level_, level);
    ++lines_;
}

bool read_block(std::string_view data, int64_t first_key, std::vector<StoredLog>& out) {
    Reader in(data);
    int64_t key = first_key;
    std::string last_id;
    while (!in.done()) {
        StoredLog line;
        uint64_t step = 0, time = 0, version = 0;
        std::string_view kinds;
        if (!in.number(step) || !in.number(time) || !in.bytes(1, kinds) || !in.number(version)) return false;
        auto kind = static_cast<unsigned char>(kinds[0]);
        unsigned stream = (kind >> 2) & 7u;
        key += static_cast<int64_t>(step);
        line.key = key;
        line.record.time = from_micros(key - unzigzag(time));
        line.record.level = static_cast<LogLevel>(kind & 3u);
        line.record.version = static_cast<int>(version);
        if (stream != other_stream)
            line.record.stream = streams[stream];
        else if (!in.text(line.record.stream))
            return false;
        if (!read_id(in, (kind >> 5) & 3u, last_id, line.record.invocation_id)) return false;
        if (!in.text(line.record.message)) return false;
        last_id = line.record.invocation_id;
        out.push_back(std::move(line));
    }
    return true;
}

bool matches(const LogQuery& query, const StoredLog& line) {
    const auto& r = line.record;
    return line.key > query.after_key && line.key < query.before_key &&
           (!query.since || r.time >= *query.since) && (!query.until || r.time <= *query.until) &&
           (!query.min_level || r.level >= *query.min_level) &&
           (query.invocation_id.empty() || r.invocation_id == query.invocation_id) &&
           (query.version == 0 || r.version == query.version);
}

}  // namespace hks::observe
