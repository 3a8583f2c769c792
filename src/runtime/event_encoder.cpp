// SPDX-License-Identifier: Apache-2.0
// One call as the worker reads it: the event of the contract, encoded straight from the views of its request.

#include "runtime/event_writer.hpp"
#include "runtime/name_index.hpp"
#include "runtime/worker_protocol.hpp"

#include <hks/core/json_gate.hpp>

#include <nlohmann/json.hpp>

#include <memory>

namespace hks::runtime {

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// The pairs of a query string, decoded. Views into the query itself, or into a copy when something was
/// escaped.
class QueryList {
  public:
    explicit QueryList(std::string_view query) {
        size_t const pairs = static_cast<size_t>(std::count(query.begin(), query.end(), '&')) + 1;
        if (pairs > inline_.size()) heap_.resize(pairs);
        Header* const items = pairs > inline_.size() ? heap_.data() : inline_.data();
        size_t count = 0;
        while (!query.empty()) {
            size_t const end = std::min(query.find('&'), query.size());
            std::string_view const pair = query.substr(0, end);
            if (!pair.empty()) {
                size_t const equals = std::min(pair.find('='), pair.size());
                items[count].name = decode(pair.substr(0, equals), query.size());
                items[count++].value = decode(pair.substr(std::min(equals + 1, pair.size())), query.size());
            }
            query.remove_prefix(std::min(end + 1, query.size()));
        }
        items_ = {items, count};
    }
    QueryList(const QueryList&) = delete;
    QueryList& operator=(const QueryList&) = delete;

    std::span<const Header> items() const { return items_; }

  private:
    /// `left`: at least as many bytes as can still have to be decoded, so that the copy never moves.
    std::string_view decode(std::string_view text, size_t left) {
        if (text.find_first_of("%+") == std::string_view::npos) return text;
        if (decoded_ == nullptr) {
            decoded_ = std::make_unique_for_overwrite<char[]>(left);
            at_ = decoded_.get();
        }
        char* const start = at_;
        for (size_t i = 0; i < text.size(); ++i) {
            int const high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
            int const low = high >= 0 ? hex_digit(text[i + 2]) : -1;
            if (low >= 0) {
                *at_++ = static_cast<char>(high * 16 + low);
                i += 2;
            } else {
                *at_++ = text[i] == '+' ? ' ' : text[i];
            }
        }
        return {start, static_cast<size_t>(at_ - start)};
    }

    std::array<Header, 16> inline_;
    std::vector<Header> heap_;
    std::span<const Header> items_;
    std::unique_ptr<char[]> decoded_;
    char* at_ = nullptr;
};

std::string joined(std::span<const Header> items, const NameIndex& index, size_t first) {
    std::string_view const glue = items[first].name == "cookie" ? "; " : ", ";
    std::string all(items[first].value);
    for (uint32_t i = index.next(first); i != NameIndex::none; i = index.next(i)) {
        all.append(glue);
        all.append(items[i].value);
    }
    return all;
}

enum class Repeated { join, last };

template <class Writer, Repeated repeated, Fallback fallback>
void write_single(Writer& writer, std::span<const Header> items, const NameIndex& index) {
    writer.begin_map();
    bool first = true;
    for (size_t i = 0; i < items.size(); ++i) {
        if (!index.is_first(i)) continue;
        writer.key(items[i].name, first, fallback);
        first = false;
        if (index.next(i) == NameIndex::none) {
            writer.text(items[i].value, fallback);
        } else if constexpr (repeated == Repeated::join) {
            writer.text(joined(items, index, i), fallback);
        } else {
            size_t last = i;
            while (index.next(last) != NameIndex::none) last = index.next(last);
            writer.text(items[last].value, fallback);
        }
    }
    writer.end_map();
}

template <class Writer, Fallback fallback>
void write_multi(Writer& writer, std::span<const Header> items, const NameIndex& index) {
    writer.begin_map();
    bool first = true;
    for (size_t i = 0; i < items.size(); ++i) {
        if (!index.is_first(i)) continue;
        writer.key(items[i].name, first, fallback);
        first = false;
        size_t count = 1;
        for (uint32_t k = index.next(i); k != NameIndex::none; k = index.next(k)) ++count;
        writer.begin_list(count);
        writer.text(items[i].value, fallback);
        for (uint32_t k = index.next(i); k != NameIndex::none; k = index.next(k)) {
            writer.separator();
            writer.text(items[k].value, fallback);
        }
        writer.end_list();
    }
    writer.end_map();
}

void write_tree(MarshalWriter& writer, const nlohmann::json& value) {
    switch (value.type()) {
        case nlohmann::json::value_t::object:
            writer.begin_map();
            for (auto const& [name, member] : value.items()) {
                writer.text(name, Fallback::replace);
                write_tree(writer, member);
            }
            return writer.end_map();
        case nlohmann::json::value_t::array:
            writer.begin_list(value.size());
            for (auto const& element : value) write_tree(writer, element);
            return;
        case nlohmann::json::value_t::string:
            return writer.text(value.get_ref<const std::string&>(), Fallback::replace);
        case nlohmann::json::value_t::boolean:
            return writer.boolean(value.get<bool>());
        case nlohmann::json::value_t::number_integer:
            return writer.integer(value.get<int64_t>());
        case nlohmann::json::value_t::number_unsigned:
            if (value.get<uint64_t>() > INT64_MAX) return writer.real(value.get<double>());
            return writer.integer(value.get<int64_t>());
        case nlohmann::json::value_t::number_float:
            return writer.real(value.get<double>());
        default:
            return writer.null();
    }
}

void write_authorizer(JsonWriter& writer, std::string_view json) {
    if (json.empty()) return writer.null();
    writer.sink().put(json);
}

void write_authorizer(MarshalWriter& writer, std::string_view json) {
    if (json.empty()) return writer.null();
    auto const tree = parse_json(json);
    if (!tree) return writer.null();
    write_tree(writer, *tree);
}

/// Two elements: the map of single values and the map of lists; null for what the worker can make from the
/// other one, or out of nothing.
template <class Writer, Repeated repeated, Fallback fallback>
void write_maps(Writer& writer, std::span<const Header> items, bool null_when_empty) {
    if (items.empty() && null_when_empty) {
        writer.null();
        writer.separator();
        return writer.null();
    }
    NameIndex const index(items);
    write_single<Writer, repeated, fallback>(writer, items, index);
    writer.separator();
    if (index.has_repeats()) {
        write_multi<Writer, fallback>(writer, items, index);
    } else {
        writer.null();
    }
}

template <class Writer>
void write_query(Writer& writer, std::string_view query) {
    if (query.empty()) return write_maps<Writer, Repeated::last, Fallback::replace>(writer, {}, true);
    QueryList const list(query);
    write_maps<Writer, Repeated::last, Fallback::replace>(writer, list.items(), true);
}

template <class Writer>
void write_path_parameters(Writer& writer, std::span<const Header> parameters) {
    if (parameters.empty()) return writer.null();
    NameIndex const index(parameters);
    write_single<Writer, Repeated::last, Fallback::replace>(writer, parameters, index);
}

/// The event array of the ADR: the values of an event in their order. Names cost more than values to write
/// and read.
template <class Writer>
void write_event(Writer& writer, const Call& call, uint32_t timeout_ms) {
    CallRequest const& request = call.request;
    const auto text = [&](std::string_view value, Fallback fallback = Fallback::replace) {
        writer.text(value, fallback);
        writer.separator();
    };
    writer.begin_array(18);
    text(request.method);
    text(request.path);
    write_maps<Writer, Repeated::join, Fallback::latin1>(writer, request.headers, false);
    writer.separator();
    write_query(writer, request.query);
    writer.separator();
    write_path_parameters(writer, request.path_parameters);
    writer.separator();
    text(request.original_path);
    text(request.source_ip);
    text(request.protocol);
    write_authorizer(writer, request.authorizer);
    writer.separator();
    text(call.id.text());
    writer.integer(timeout_ms);
    writer.separator();
    writer.integer(request.attempt);
    writer.separator();
    if (request.traceparent.empty()) {
        writer.null();
        writer.separator();
    } else {
        text(request.traceparent, Fallback::latin1);
    }
    text(request.trigger);
    text(request.trigger_type);
    writer.text(request.query, Fallback::latin1);
    writer.end_array();
}

template <class Writer>
void write_call(std::string& out, const Call& call, uint32_t timeout_ms) {
    Writer writer(out);
    writer.sink().put_literal(std::array<char, frame_header_bytes>{});
    write_event(writer, call, timeout_ms);
}

uint8_t body_flags(const CallRequest& request) {
    uint8_t flags = request.trigger_type == "http" ? flag_http : uint8_t{0};
    if (!is_ascii(request.body) && !is_utf8(request.body)) return flags;
    flags |= flag_text;
    size_t const start = request.body.find_first_not_of(" \t\r\n");
    if (start != std::string_view::npos && request.body[start] == '{' &&
        json_depth(request.body, max_json_depth) <= max_json_depth) {
        flags |= flag_object;
    }
    return flags;
}

}  // namespace

void append_call(std::string& out, EventEncoding encoding, uint32_t id, const Call& call,
                 uint32_t timeout_ms) {
    size_t const start = out.size();
    std::string_view body = call.request.body;
    uint8_t flags = body_flags(call.request);
    if (encoding == EventEncoding::json) {
        write_call<JsonWriter>(out, call, timeout_ms);
    } else {
        write_call<MarshalWriter>(out, call, timeout_ms);
    }
    std::string_view part = body.substr(0, max_call_body_frame);
    body.remove_prefix(part.size());
    if (body.empty()) flags |= flag_end;

    FrameHeader header;
    header.meta = static_cast<uint32_t>(out.size() - start - frame_header_bytes);
    header.size = header.meta + static_cast<uint32_t>(part.size());
    header.id = id;
    header.type = static_cast<uint8_t>(FrameType::call);
    header.flags = flags;
    std::memcpy(out.data() + start, &header, sizeof header);
    out.append(part);

    while (!body.empty()) {
        part = body.substr(0, max_call_body_frame);
        body.remove_prefix(part.size());
        append_frame(out, FrameType::chunk, body.empty() ? flag_end : uint8_t{0}, 0, id, {}, part);
    }
}

}  // namespace hks::runtime
