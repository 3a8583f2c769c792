// SPDX-License-Identifier: Apache-2.0
#include "../event_stream.hpp"
#include "../objects.hpp"
#include "handlers.hpp"

#include <hks/core/units.hpp>
#include <hks/dispatch/loop_follower.hpp>

#include <nlohmann/json.hpp>

#include <charconv>
#include <deque>

namespace hks::api {

using nlohmann::json;

namespace {

constexpr size_t page_lines = 1000;    ///< of a page when no limit is given, and of one step of a follower
constexpr size_t most_lines = 10'000;  ///< of `limit`
constexpr char back_mark = 'b';        ///< begins a cursor that goes back from the newest lines
constexpr size_t most_pending = 1000;  ///< live lines kept while a follower catches up

bool read_number(const std::string& text, int64_t& out) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
    return failure == std::errc() && end == text.data() + text.size() && out >= 0;
}

/// RFC 3339, or "15m": so long ago.
bool read_time(const std::string& text, WallTime now, std::optional<WallTime>& out) {
    WallTime time;
    if (from_rfc3339(text, time)) {
        out = time;
        return true;
    }
    auto ago = parse_duration(text);
    if (!ago) return false;
    out = now - *ago;
    return true;
}

/// `tail`: how many of the newest lines are wanted, nothing = all.
Result<observe::LogQuery> read_log_query(const Context& context, const ApiRequest& request,
                                         std::optional<size_t>& tail) {
    observe::LogQuery query;
    Error error(Errc::validation_error, "The query is not right. Correct the fields named in details.");
    const WallTime now = context.services.clock.wall();
    if (const auto* text = request.find_query("since"); text && !read_time(*text, now, query.since))
        error.fields.push_back({"since", "must be a time (2026-01-31T12:00:00Z) or a duration (15m)"});
    if (const auto* text = request.find_query("until"); text && !read_time(*text, now, query.until))
        error.fields.push_back({"until", "must be a time (2026-01-31T12:00:00Z) or a duration (15m)"});
    if (const auto* text = request.find_query("level")) {
        LogLevel level = LogLevel::info;
        if (!level_from_name(*text, level))
            error.fields.push_back({"level", "must be debug, info, warn or error"});
        query.min_level = level;
    }
    if (const auto* text = request.find_query("invocation_id")) {
        InvocationId id;
        if (!InvocationId::parse(*text, id))
            error.fields.push_back({"invocation_id", "must be 32 hexadecimal digits"});
        query.invocation_id = *text;
    }
    if (const auto* text = request.find_query("version")) {
        query.version = version_number(*text);
        if (query.version == 0) error.fields.push_back({"version", "must be the number of a version"});
    }
    if (const auto* text = request.find_query("cursor")) {
        const bool back = text->starts_with(back_mark);
        if (!read_number(text->substr(back ? 1 : 0), back ? query.before_key : query.after_key))
            error.fields.push_back({"cursor", "must be a next_cursor of this route"});
    }
    if (const auto wrong = wrong_follow(request)) error.fields.push_back(*wrong);
    if (const auto* text = request.find_query("limit")) {
        int64_t limit = 0;
        if (read_number(*text, limit) && limit <= static_cast<int64_t>(most_lines)) {
            tail = static_cast<size_t>(limit);
        } else {
            error.fields.push_back({"limit", "must be a number from 0 to " + std::to_string(most_lines)});
        }
    }
    if (!error.fields.empty()) return error;
    return query;
}

/// Catches up from the store in pages, then passes live lines on. Live lines that come meanwhile wait; when
/// too many do, or the client is slow, they are dropped here and read from the store again, so that nothing
/// is lost or twice.
class LogFollower final : public EventStream {
  public:
    LogFollower(Context& context, net::HttpExchange& exchange, const ApiRequest& request,
                std::string function_id, observe::LogQuery query, std::optional<size_t> tail)
        : EventStream(context, exchange, request),
          function_id_(std::move(function_id)),
          query_(std::move(query)),
          tail_(tail) {}

  protected:
    void on_started() override {
        live_ = context_.services.logs.follow(query_.workspace, query_.function,
                                              [this](const observe::StoredLog& log) { on_line(log); });
        catalog_.emplace(context_.loop, context_.services.registry.watch(), [this] { recheck(); });
        if (tail_ == size_t{0}) {
            // Whatever is read from the store later on is what a slow client missed: all of it.
            tail_.reset();
            state_ = State::live;
        } else {
            catch_up();
        }
    }

    void on_drained() override {
        if (state_ == State::paused) catch_up();
    }

    std::optional<Error> why_over() override {
        const auto function = context_.find_function(query_.workspace, query_.function);
        if (function && function->id == function_id_) return std::nullopt;
        return Error(Errc::function_not_found, "The function '" + query_.function +
                                                   "' was deleted, and its log with it. Follow another one.");
    }
    void on_ended() override {
        live_.reset();
        catalog_.reset();
    }

  private:
    enum class State { catching_up, live, paused };

    bool wanted(const FunctionLogRecord& record) const {
        return (!query_.min_level || record.level >= *query_.min_level) &&
               (query_.invocation_id.empty() || record.invocation_id == query_.invocation_id) &&
               (query_.version == 0 || record.version == query_.version) &&
               (!query_.since || record.time >= *query_.since);
    }

    void pass_on(const observe::StoredLog& log) {
        if (log.key <= query_.after_key) return;
        query_.after_key = log.key;
        emit(dump(log_json(log)), {}, log.key);
    }

    void on_line(const observe::StoredLog& log) {
        if (ended() || !wanted(log.record)) return;
        if (state_ == State::live) {
            pass_on(log);
            if (congested()) state_ = State::paused;
        } else if (pending_.size() < most_pending) {
            pending_.push_back(log);
        } else {
            missed_ = true;
        }
    }

    void catch_up() {
        state_ = State::catching_up;
        missed_ = false;
        pending_.clear();
        auto query = query_;
        query.limit = tail_.value_or(page_lines);
        query.newest = tail_.has_value();
        auto rows = std::make_shared<Result<std::vector<observe::StoredLog>>>();
        offload([&logs = context_.services.logs, query, rows] { *rows = logs.query(query); },
                [this, rows, whole = query.newest] { on_page(*rows, whole); });
    }

    void on_page(const Result<std::vector<observe::StoredLog>>& rows, bool whole) {
        if (!rows) {
            emit(to_json_text(rows.error()), "error");
            finish();
            return;
        }
        tail_.reset();
        for (const auto& log : *rows) pass_on(log);
        if (congested()) {
            state_ = State::paused;
        } else if (missed_ || (!whole && rows->size() >= page_lines)) {
            catch_up();
        } else {
            state_ = State::live;
            for (const auto& log : pending_) pass_on(log);
            pending_.clear();
            if (congested()) state_ = State::paused;
        }
    }

    const std::string function_id_;
    observe::LogQuery query_;
    std::optional<size_t> tail_;
    std::shared_ptr<void> live_;
    std::optional<dispatch::LoopFollower<registry::Catalog>> catalog_;
    std::deque<observe::StoredLog> pending_;
    State state_ = State::catching_up;
    bool missed_ = false;
};

}  // namespace

Result<ApiResponse> get_logs(Context& context, const ApiRequest& request) {
    std::optional<size_t> limit;
    auto query = read_log_query(context, request, limit);
    if (!query) return query.error();
    auto function = context.services.registry.get(request.workspace(), request.function());
    if (!function) return function.error();
    query->workspace = function->workspace;
    query->function = function->name;
    // A limit alone asks for the newest lines, and its cursor for those before them; without one, pages go
    // from the oldest line on.
    const bool back = query->before_key != INT64_MAX;
    query->newest = back || (limit.has_value() && query->after_key == 0);
    query->limit = limit.value_or(page_lines);
    if (query->limit == 0) return json_response(200, list_json(json::array(), std::nullopt));
    auto rows = context.services.logs.query(*query);
    if (!rows) return rows.error();
    std::optional<std::string> next;
    if (rows->size() >= query->limit)
        next = query->newest ? back_mark + std::to_string(rows->front().key)
                             : std::to_string(rows->back().key);
    json items = json::array();
    for (const auto& log : *rows) items.push_back(log_json(log));
    return json_response(200, list_json(std::move(items), next));
}

void follow_logs(Context& context, net::HttpExchange& exchange, const ApiRequest& request) {
    std::optional<size_t> tail;
    auto query = read_log_query(context, request, tail);
    if (!query) return send(exchange, query.error());
    Error error(Errc::validation_error, "A followed log has no end: leave out until and cursor, or follow.");
    if (query->until) error.fields.push_back({"until", "does not go with follow"});
    if (query->before_key != INT64_MAX)
        error.fields.push_back({"cursor", "goes back: it does not go with follow"});
    if (!error.fields.empty()) return send(exchange, error);
    const auto function = context.find_function(request.workspace(), request.function());
    if (!function) return send(exchange, function_not_found(request.function()));
    query->workspace = function->workspace;
    query->function = function->name;
    if (int64_t last = 0; !request.last_event_id.empty() && read_number(request.last_event_id, last)) {
        query->after_key = last;
        tail.reset();
    }
    std::make_shared<LogFollower>(context, exchange, request, function->id, std::move(*query), tail)->open();
}

}  // namespace hks::api
