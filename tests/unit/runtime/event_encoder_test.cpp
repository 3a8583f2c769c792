// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker_protocol.hpp"

#include <hks/core/json_gate.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <string>
#include <vector>

using namespace hks::runtime;
using hks::Call;
using hks::Header;
using nlohmann::json;

namespace {

struct TestCall final : Call {
    TestCall() {
        hks::InvocationId::parse("0123456789abcdef0123456789abcdef", id);
        request.method = "GET";
        request.path = "/rest";
        request.original_path = "/functions/hello/rest";
        request.source_ip = "10.0.0.9";
        request.trigger = "http";
    }
    void on_response(int, std::string_view, std::string_view, bool) override {}
    void on_chunk(std::string_view, bool) override {}
    void on_failed(const hks::CallFailure&) override {}

    TestCall& header(std::string_view name, std::string_view value) {
        list.push_back({name, value});
        request.headers = list;
        return *this;
    }
    std::vector<Header> list;
};

/// Reads back the codes that MarshalWriter writes, strictly.
class MarshalParser {
  public:
    explicit MarshalParser(std::string_view bytes) : rest_(bytes) {}
    json parse() {
        switch (char const code = take(1)[0]; code) {
            case 'N':
                return nullptr;
            case 'T':
                return true;
            case 'F':
                return false;
            case 'i':
                return number<int32_t>();
            case 'I':
                return number<int64_t>();
            case 'g':
                return number<double>();
            case 'z':
                return ascii(number<uint8_t>());
            case 'a':
                return ascii(number<uint32_t>());
            case 'u':
                return wide(number<uint32_t>());
            case ')':
                return sequence(number<uint8_t>());
            case '[':
                return sequence(number<uint32_t>());
            case '{':
                return map();
            default:
                throw std::runtime_error(std::string("unknown code ") + code);
        }
    }
    bool done() const { return rest_.empty(); }

  private:
    std::string_view take(size_t n) {
        if (rest_.size() < n) throw std::runtime_error("short");
        std::string_view const bytes = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return bytes;
    }
    template <class T>
    T number() {
        T value;
        std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
        return value;
    }
    std::string ascii(size_t n) {
        std::string text(take(n));
        for (char const c : text)
            if (static_cast<unsigned char>(c) > 127) throw std::runtime_error("not ASCII");
        return text;
    }
    std::string wide(size_t n) {
        std::string text(take(n));
        if (!hks::is_utf8(text)) throw std::runtime_error("not UTF-8");
        return text;
    }
    json sequence(size_t n) {
        json list = json::array();
        while (n-- > 0) list.push_back(parse());
        return list;
    }
    json map() {
        json object = json::object();
        while (rest_.at(0) != '0') {
            std::string const name = parse().get<std::string>();
            if (object.contains(name)) throw std::runtime_error("repeated key " + name);
            object[name] = parse();
        }
        take(1);
        return object;
    }
    std::string_view rest_;
};

std::vector<std::pair<FrameHeader, std::string>> split(std::string_view wire, std::string& first_meta) {
    FrameReader reader;
    std::memcpy(reader.prepare(wire.size()), wire.data(), wire.size());
    reader.commit(wire.size());
    Frame frame;
    std::vector<std::pair<FrameHeader, std::string>> frames;
    while (reader.next(frame)) {
        if (frames.empty()) first_meta = frame.meta;
        frames.emplace_back(frame.header, frame.body);
    }
    return frames;
}

/// The event array, which must be the same in both encodings.
json encoded(const Call& call, uint32_t timeout_ms = 30'000) {
    std::string as_json, as_marshal, meta;
    append_call(as_json, EventEncoding::json, 7, call, timeout_ms);
    append_call(as_marshal, EventEncoding::marshal, 7, call, timeout_ms);
    split(as_json, meta);
    json const from_json = json::parse(meta);
    split(as_marshal, meta);
    MarshalParser parser(meta);
    json const from_marshal = parser.parse();
    CHECK(parser.done());
    CHECK(from_json == from_marshal);
    return from_json;
}

/// The event as a worker makes it from the array.
json event_of(const Call& call) {
    json const array = encoded(call);
    const auto map = [&](size_t i) { return array.at(i).is_null() ? json::object() : array.at(i); };
    const auto lists = [&](size_t i) {
        if (!array.at(i).is_null()) return array.at(i);
        json lists = json::object();
        json const single = map(i - 1);
        for (auto const& [name, value] : single.items()) lists[name] = json::array({value});
        return lists;
    };
    return {{"httpMethod", array.at(0)},
            {"path", array.at(1)},
            {"headers", map(2)},
            {"multiValueHeaders", lists(3)},
            {"queryStringParameters", map(4)},
            {"multiValueQueryStringParameters", lists(5)},
            {"pathParameters", map(6)},
            {"requestContext",
             {{"requestId", array.at(11)},
              {"path", array.at(7)},
              {"httpMethod", array.at(0)},
              {"sourceIp", array.at(8)},
              {"protocol", array.at(9)},
              {"authorizer", map(10)}}}};
}

double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

uint8_t flags_of(std::string_view body) {
    TestCall call;
    call.request.body = body;
    std::string wire, meta;
    append_call(wire, EventEncoding::json, 1, call, 1);
    return split(wire, meta).at(0).first.flags;
}

}  // namespace

TEST_CASE("the event array carries what belongs to the call", "[event_encoder]") {
    TestCall call;
    call.request.attempt = 3;
    call.request.traceparent = "00-11-22-01";
    call.request.trigger = "front";
    call.request.query = "a=%20b";
    json const array = encoded(call, 1500);
    REQUIRE(array.size() == 18);
    CHECK(array[11] == "0123456789abcdef0123456789abcdef");
    CHECK(array[12] == 1500);
    CHECK(array[13] == 3);
    CHECK(array[14] == "00-11-22-01");
    CHECK(array[15] == "front");
    CHECK(array[16] == "http");
    CHECK(array[17] == "a=%20b");
}

TEST_CASE("no traceparent is null", "[event_encoder]") {
    CHECK(encoded(TestCall()).at(14).is_null());
}

TEST_CASE("timeouts beyond 31 bits survive", "[event_encoder]") {
    CHECK(encoded(TestCall(), 4'000'000'000u).at(12) == 4'000'000'000u);
}

TEST_CASE("absent maps are null, headers are a map", "[event_encoder]") {
    json const array = encoded(TestCall());
    for (size_t const i : {3, 4, 5, 6, 10}) CHECK(array.at(i).is_null());
    CHECK(array.at(2) == json::object());
    json const event = event_of(TestCall());
    for (auto const* name : {"headers", "multiValueHeaders", "queryStringParameters",
                             "multiValueQueryStringParameters", "pathParameters"}) {
        CHECK(event.at(name) == json::object());
    }
    CHECK(event.at("requestContext").at("authorizer") == json::object());
}

TEST_CASE("the event has exactly the members of the contract that do not depend on the body",
          "[event_encoder]") {
    json const event = event_of(TestCall());
    CHECK(event.size() == 8);
    CHECK(event.at("httpMethod") == "GET");
    CHECK(event.at("path") == "/rest");
    CHECK(event.at("requestContext") == json({{"requestId", "0123456789abcdef0123456789abcdef"},
                                              {"path", "/functions/hello/rest"},
                                              {"httpMethod", "GET"},
                                              {"sourceIp", "10.0.0.9"},
                                              {"protocol", "HTTP/1.1"},
                                              {"authorizer", json::object()}}));
}

TEST_CASE("repeated headers are joined, and listed in their order", "[event_encoder]") {
    TestCall call;
    call.header("accept", "a").header("x", "1").header("accept", "b").header("accept", "c");
    json const event = event_of(call);
    CHECK(event["headers"] == json({{"accept", "a, b, c"}, {"x", "1"}}));
    CHECK(event["multiValueHeaders"] == json({{"accept", {"a", "b", "c"}}, {"x", {"1"}}}));
}

TEST_CASE("cookies are joined by a semicolon", "[event_encoder]") {
    TestCall call;
    call.header("cookie", "a=1").header("cookie", "b=2");
    CHECK(event_of(call)["headers"]["cookie"] == "a=1; b=2");
}

TEST_CASE("a hundred and fifty headers are grouped as three are", "[event_encoder]") {
    std::vector<std::string> names;
    for (int i = 0; i < 150; ++i) names.push_back("h" + std::to_string(i % 50));
    TestCall call;
    for (auto const& name : names) call.header(name, "v");
    json const event = event_of(call);
    CHECK(event["headers"].size() == 50);
    CHECK(event["headers"]["h49"] == "v, v, v");
    CHECK(event["multiValueHeaders"]["h0"] == json({"v", "v", "v"}));
}

TEST_CASE("header bytes that are not UTF-8 are Latin-1, others are UTF-8", "[event_encoder]") {
    TestCall call;
    call.header("latin", "caf\xe9").header("utf8", "caf\xc3\xa9");
    json const event = event_of(call);
    CHECK(event["headers"]["latin"] == "caf\u00e9");
    CHECK(event["headers"]["utf8"] == "caf\u00e9");
}

TEST_CASE("quotes, backslashes and control characters survive", "[event_encoder]") {
    std::string const value = "\"a\\b\tc\x01\x7f\"";
    TestCall call;
    call.header("x", value);
    CHECK(event_of(call)["headers"]["x"] == value);
}

TEST_CASE("long and very long values survive", "[event_encoder]") {
    for (size_t const length : {255, 256, 4095, 4096, 4097, 30'000}) {
        std::string const value(length, 'v');
        TestCall call;
        call.header("before", "1").header("x", value).header("after", "2");
        json const event = event_of(call);
        CHECK(event["headers"]["x"] == value);
        CHECK(event["headers"]["after"] == "2");
    }
}

TEST_CASE("the last value of a query parameter wins, all are listed", "[event_encoder]") {
    TestCall call;
    call.request.query = "a=1&b=x&a=2";
    json const event = event_of(call);
    CHECK(event["queryStringParameters"] == json({{"a", "2"}, {"b", "x"}}));
    CHECK(event["multiValueQueryStringParameters"] == json({{"a", {"1", "2"}}, {"b", {"x"}}}));
}

TEST_CASE("query strings are decoded", "[event_encoder]") {
    struct Row {
        std::string query;
        json expected;
    };
    auto const row = GENERATE(values<Row>({
        {"a=b+c%20d", {{"a", "b c d"}}},
        {"na%3Dme=v%26w", {{"na=me", "v&w"}}},
        {"a", {{"a", ""}}},
        {"a=", {{"a", ""}}},
        {"a=b=c", {{"a", "b=c"}}},
        {"&&a=1&", {{"a", "1"}}},
        {"a=100%", {{"a", "100%"}}},
        {"a=%zz%4", {{"a", "%zz%4"}}},
        {"a=%C3%A9", {{"a", "\u00e9"}}},
        {"a=%ff-%c3", {{"a", "\ufffd-\ufffd"}}},
        {"a=x&%61=y", {{"a", "y"}}},
        {"a=%22%5c", {{"a", "\"\\"}}},
    }));
    INFO(row.query);
    TestCall call;
    call.request.query = row.query;
    CHECK(event_of(call)["queryStringParameters"] == row.expected);
}

TEST_CASE("a query of thousands of equal names is grouped quickly", "[event_encoder]") {
    std::string query;
    for (int i = 0; i < 4000; ++i) query += "a&";
    TestCall call;
    call.request.query = query;
    auto const begin = std::chrono::steady_clock::now();
    json const event = event_of(call);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(500));
    CHECK(event["multiValueQueryStringParameters"]["a"].size() == 4000);
}

TEST_CASE("path parameters are given", "[event_encoder]") {
    std::vector<Header> const parameters{{"id", "42"}, {"rest", "a/\xff"}};
    TestCall call;
    call.request.path_parameters = parameters;
    CHECK(event_of(call)["pathParameters"] == json({{"id", "42"}, {"rest", "a/\ufffd"}}));
}

TEST_CASE("the authorizer's JSON becomes part of the event", "[event_encoder]") {
    std::string const text =
        R"({"name":"ci","big":123456789012,"n":-5,"f":1.5,"ok":true,"no":false,"none":null,)"
        R"("scopes":["invoke",{"é":1}]})";
    TestCall call;
    call.request.authorizer = text;
    CHECK(event_of(call)["requestContext"]["authorizer"] == json::parse(text));
}

TEST_CASE("a body that is UTF-8 is marked as text", "[event_encoder]") {
    CHECK(flags_of("") == (flag_http | flag_text | flag_end));
    CHECK(flags_of("h\xc3\xa9llo") == (flag_http | flag_text | flag_end));
    CHECK(flags_of("\xff\xfe") == (flag_http | flag_end));
}

TEST_CASE("only a body that may be an object is marked for lifting", "[event_encoder]") {
    CHECK((flags_of(" \r\n\t{\"a\":1}") & flag_object) != 0);
    CHECK((flags_of("[{}]") & flag_object) == 0);
    CHECK((flags_of("{\"a\":\"\xff\"}") & flag_object) == 0);
}

TEST_CASE("an object that nests deeper than 128 is not lifted", "[event_encoder]") {
    auto const nested = [](size_t depth) {
        return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    };
    CHECK((flags_of(nested(128)) & flag_object) != 0);
    CHECK((flags_of(nested(129)) & flag_object) == 0);
    CHECK((flags_of(nested(100'000)) & flag_object) == 0);
}

TEST_CASE("a long body continues in chunks, the last of which ends it", "[event_encoder]") {
    for (size_t const length : {max_call_body_frame, max_call_body_frame + 1, 3 * max_call_body_frame}) {
        std::string body(length, 'b');
        body.back() = 'e';
        TestCall call;
        call.request.body = body;
        std::string wire = "before", meta;
        append_call(wire, EventEncoding::marshal, 9, call, 1);
        auto const frames = split(std::string_view(wire).substr(6), meta);
        REQUIRE(frames.size() == (length + max_call_body_frame - 1) / max_call_body_frame);
        std::string together;
        for (size_t i = 0; i < frames.size(); ++i) {
            CHECK(frames[i].first.id == 9);
            CHECK(frames[i].second.size() <= max_call_body_frame);
            CHECK(((frames[i].first.flags & flag_end) != 0) == (i + 1 == frames.size()));
            together += frames[i].second;
        }
        CHECK(together == body);
    }
}

TEST_CASE("encoding a typical request", "[.benchmark]") {
    TestCall call;
    call.header("host", "127.0.0.1:8080")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0");
    call.header("accept", "text/html,application/json;q=0.9,*/*;q=0.8")
        .header("accept-encoding", "gzip, deflate, br");
    call.header("x-forwarded-for", "10.0.0.9").header("content-type", "application/json");
    call.request.query = "page=2&name=bob";
    call.request.body = R"({"name":"Alice"})";
    for (auto const encoding : {EventEncoding::json, EventEncoding::marshal}) {
        std::string out;
        double best = 1e9;  // of many short runs, in time of this thread: others may be busy on this machine
        for (int run = 0; run < 300; ++run) {
            double const begin = thread_seconds();
            for (uint32_t i = 0; i < 1000; ++i) {
                out.clear();
                append_call(out, encoding, i, call, 30'000);
            }
            best = std::min(best, (thread_seconds() - begin) * 1e6 / 1000);
        }
        WARN((encoding == EventEncoding::json ? "json " : "marshal ")
             << out.size() << " bytes, " << best << " us a call");
    }
}
