// SPDX-License-Identifier: Apache-2.0
#include "function/object_reader.hpp"

#include <hks/core/json_gate.hpp>
#include <hks/core/yaml.hpp>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

namespace hks {
namespace {

using Json = nlohmann::json;

struct Stop {
    std::string field;
    std::string message;
    int line;
};

struct Event {
    enum class Kind { scalar, null, alias, sequence, map, end } kind;
    int line = 0;
    YAML::anchor_t anchor = 0;
    bool quoted = false;
    std::string text = {};
};

/// First pass: the parser's events as a list, so that an alias can be replayed.
class Recorder final : public YAML::EventHandler {
  public:
    std::vector<Event> events;
    std::map<YAML::anchor_t, size_t> anchors;  ///< → its event

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ > 1)
            throw Stop{{}, "must be one document, without a second one behind ---", mark.line + 1};
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        add(Event::Kind::null, mark, anchor);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        add(Event::Kind::alias, mark, anchor);
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        Event& event = add(Event::Kind::scalar, mark, anchor);
        check_tag(tag, mark);
        event.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
        event.text = value;
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        check_tag(tag, mark);
        add(Event::Kind::sequence, mark, anchor);
        open(mark);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        check_tag(tag, mark);
        add(Event::Kind::map, mark, anchor);
        open(mark);
    }
    void OnMapEnd() override { close(); }

  private:
    Event& add(Event::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
        // Each node is at most two events.
        if (events.size() >= 2 * max_yaml_nodes) throw Stop{{}, "has too many entries", mark.line + 1};
        if (anchor && kind != Event::Kind::alias) anchors[anchor] = events.size();
        return events.emplace_back(Event{kind, mark.line + 1, anchor});
    }
    void open(const YAML::Mark& mark) {
        if (++depth_ > max_yaml_depth) throw Stop{{}, "is nested too deep", mark.line + 1};
    }
    void close() {
        --depth_;
        events.push_back({Event::Kind::end});
    }
    static void check_tag(const std::string& tag, const YAML::Mark& mark) {
        const bool known = tag.empty() || tag == "?" || tag == "!" || tag == "tag:yaml.org,2002:str" ||
                           tag == "tag:yaml.org,2002:map" || tag == "tag:yaml.org,2002:seq";
        if (!known) throw Stop{{}, "uses the YAML tag " + tag + ", which has no meaning here", mark.line + 1};
    }

    size_t depth_ = 0;
    int documents_ = 0;
};

bool all_of(std::string_view text, std::string_view alphabet) {
    return !text.empty() && text.find_first_not_of(alphabet) == std::string_view::npos;
}

/// [-+]? ( digits | 0o octal | 0x hexadecimal ), when it fits.
bool core_integer(std::string_view text, Json& out) {
    const bool negative = text.starts_with('-');
    std::string_view digits = text.substr(negative || text.starts_with('+') ? 1 : 0);
    int base = 10;
    if (digits.starts_with("0o") || digits.starts_with("0x")) {
        if (digits.size() != text.size()) return false;
        base = digits[1] == 'o' ? 8 : 16;
        digits.remove_prefix(2);
    }
    if (!all_of(digits, base == 8 ? "01234567" : base == 10 ? "0123456789" : "0123456789abcdefABCDEF"))
        return false;
    uint64_t value = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value, base).ec != std::errc())
        return false;
    constexpr uint64_t most_negative = 1ull << 63;
    if (!negative)
        out = value;
    else if (value <= most_negative)
        out = static_cast<int64_t>(0 - value);
    else
        return false;
    return true;
}

/// [-+]? ( .digits | digits[.digits] ) exponent?
bool core_float(std::string_view text, Json& out) {
    std::string_view number = text.substr(text.starts_with('-') || text.starts_with('+') ? 1 : 0);
    const auto exponent = number.find_first_of("eE");
    auto mantissa = number.substr(0, exponent);
    if (exponent != std::string_view::npos) {
        auto power = number.substr(exponent + 1);
        if (power.starts_with('-') || power.starts_with('+')) power.remove_prefix(1);
        if (!all_of(power, "0123456789")) return false;
    }
    const auto dot = mantissa.find('.');
    if (dot != std::string_view::npos && mantissa.find('.', dot + 1) != std::string_view::npos) return false;
    if (!all_of(mantissa, "0123456789.") || mantissa == ".") return false;
    const std::string_view signless = text.substr(text.starts_with('+') ? 1 : 0);
    double value = 0;
    if (std::from_chars(signless.data(), signless.data() + signless.size(), value).ec != std::errc())
        return false;
    out = value;
    return true;
}

Json plain_scalar(const std::string& text) {
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
    if (text == "true" || text == "True" || text == "TRUE") return true;
    if (text == "false" || text == "False" || text == "FALSE") return false;
    Json number;
    if (core_integer(text, number) || core_float(text, number)) return number;
    return text;
}

/// Second pass: events → JSON, aliases expanded.
class Builder {
  public:
    Builder(const Recorder& recorder, const std::function<bool(const std::string&)>& keep_text,
            YamlDocument& out)
        : recorder_(recorder), keep_text_(keep_text), out_(out) {}

    Json build(size_t& i, const std::string& path, size_t depth) {
        const Event& event = recorder_.events[i++];
        if (++nodes_ > max_yaml_nodes) throw Stop{path, "has too many entries, aliases expanded", event.line};
        if (depth > max_yaml_depth)
            throw Stop{path, "is nested too deep, or an alias contains itself", event.line};
        switch (event.kind) {
            case Event::Kind::scalar:
                return scalar(event, path);
            case Event::Kind::sequence:
                return sequence(i, path, depth);
            case Event::Kind::map:
                return map(i, path, depth);
            case Event::Kind::alias: {
                const auto anchor = recorder_.anchors.find(event.anchor);
                if (anchor == recorder_.anchors.end()) throw Stop{path, "is an alias of nothing", event.line};
                size_t at = anchor->second;
                const int outer = std::exchange(alias_line_, alias_line_ ? alias_line_ : event.line);
                Json value = build(at, path, depth + 1);
                alias_line_ = outer;
                return value;
            }
            case Event::Kind::null:
            case Event::Kind::end:
                break;
        }
        return nullptr;
    }

  private:
    Json scalar(const Event& event, const std::string& path) {
        if (event.quoted) return event.text;
        Json value = plain_scalar(event.text);
        if (!value.is_null() && !value.is_string() && keep_text_(path)) return event.text;
        return value;
    }

    Json sequence(size_t& i, const std::string& path, size_t depth) {
        Json out = Json::array();
        while (recorder_.events[i].kind != Event::Kind::end) {
            const auto item = join_path(path, out.size());
            note_line(item, recorder_.events[i].line);
            out.push_back(build(i, item, depth + 1));
        }
        ++i;
        return out;
    }

    Json map(size_t& i, const std::string& path, size_t depth) {
        Json out = Json::object();
        while (recorder_.events[i].kind != Event::Kind::end) {
            const std::string key = read_key(i, path);
            const int line = recorder_.events[i - 1].line;
            const auto member = join_path(path, key);
            if (out.contains(key)) throw Stop{member, "is there twice", line};
            note_line(member, line);
            out[key] = build(i, member, depth + 1);
        }
        ++i;
        return out;
    }

    std::string read_key(size_t& i, const std::string& path) {
        const Event* event = &recorder_.events[i++];
        const int line = event->line;
        if (event->kind == Event::Kind::alias) {
            const auto anchor = recorder_.anchors.find(event->anchor);
            if (anchor != recorder_.anchors.end()) event = &recorder_.events[anchor->second];
        }
        if (event->kind != Event::Kind::scalar) throw Stop{path, "has a key that is not a plain name", line};
        return event->text;
    }

    void note_line(const std::string& path, int line) {
        out_.lines.emplace(path, alias_line_ ? alias_line_ : line);
    }

    const Recorder& recorder_;
    const std::function<bool(const std::string&)>& keep_text_;
    YamlDocument& out_;
    size_t nodes_ = 0;
    int alias_line_ = 0;  ///< where the outermost alias stands that is being expanded
};

Error at_line(const std::string& field, const std::string& message, int line) {
    Findings findings;
    findings.add(field, message);
    findings.errors().back().line = line;
    return std::move(findings).to_error();
}

/// JSON has a few things that the YAML parser stumbles over (surrogate pairs, tabs): without lines then.
/// Nothing when the text is not JSON.
std::optional<Result<YamlDocument>> read_json(const std::string& text, const std::string& root) {
    if (text.find_first_not_of(" \t\r\n") != text.find('{')) return std::nullopt;
    if (!parse_json(text)) return std::nullopt;
    std::vector<std::set<std::string>> open;
    std::string twice;
    const auto note_keys = [&](int, Json::parse_event_t event, Json& value) {
        if (event == Json::parse_event_t::object_start) open.emplace_back();
        if (event == Json::parse_event_t::object_end) open.pop_back();
        if (event == Json::parse_event_t::key && !open.back().insert(value.get<std::string>()).second)
            twice = value.get<std::string>();
        return true;
    };
    Json json = Json::parse(text, note_keys);
    if (!twice.empty()) return at_line(root, "has the field " + twice.substr(0, 100) + " twice", 0);
    return YamlDocument{std::move(json), {}};
}

}  // namespace

Result<YamlDocument> read_yaml(const std::string& text, const std::string& root,
                               const std::function<bool(const std::string& path)>& keep_text) {
    if (text.size() > max_yaml_text) return at_line(root, "must have at most 1Mi of text", 0);
    YamlDocument document;
    try {
        std::istringstream stream(text);
        YAML::Parser parser(stream);
        Recorder recorder;
        while (parser.HandleNextDocument(recorder)) {
        }
        if (recorder.events.empty()) return document;
        size_t i = 0;
        document.value = Builder(recorder, keep_text, document).build(i, root, 0);
    } catch (const Stop& stop) {
        return at_line(stop.field.empty() ? root : stop.field, stop.message, stop.line);
    } catch (const YAML::Exception& e) {
        if (auto json = read_json(text, root)) return std::move(*json);
        return at_line(root, "is not valid YAML: " + e.msg, e.mark.is_null() ? 0 : e.mark.line + 1);
    }
    return document;
}

}  // namespace hks
