// SPDX-License-Identifier: Apache-2.0
#include "../event_stream.hpp"
#include "../objects.hpp"
#include "handlers.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace hks::api {

using nlohmann::json;

namespace {

/// One step: what the pool brings back.
struct Step {
    Result<std::vector<build::BuildLogLine>> lines;
    bool finished = false;
    Result<registry::VersionRecord> version;
};

/// Reads new lines whenever the build has some, and ends with `event: end` when the build has ended.
class BuildLogFollower final : public EventStream {
  public:
    BuildLogFollower(Context& context, net::HttpExchange& exchange, const ApiRequest& request,
                     registry::VersionRecord version, int64_t after)
        : EventStream(context, exchange, request),
          workspace_(request.workspace()),
          version_(std::move(version)),
          after_(after) {}

  protected:
    void on_started() override {
        news_ = context_.services.builds.follow(version_.key, [this] { read(); });
        read();
    }

    void on_drained() override { read(); }
    void on_ended() override { news_.reset(); }

  private:
    void read() {
        if (ended() || congested()) return;
        again_ = true;
        if (reading_) return;
        reading_ = true;
        again_ = false;
        auto step = std::make_shared<Step>();
        offload(
            [&services = context_.services, step, workspace = workspace_, version = version_,
             after = after_] {
                step->lines = services.builds.log(version.key, after, step->finished);
                step->version = services.registry.version(workspace, version.function_id, version.number);
            },
            [this, step] { on_step(*step); });
    }

    void on_step(const Step& step) {
        reading_ = false;
        if (!step.lines) {
            emit(to_json_text(step.lines.error()), "error");
            return finish();
        }
        for (const auto& line : *step.lines) {
            after_ = line.index;
            emit(dump(build_log_json(line)), {}, line.index);
        }
        if (step.finished) {
            emit(dump(step.version ? version_json(*step.version) : json::object()), "end");
            return finish();
        }
        if (again_) read();
    }

    std::string workspace_;
    registry::VersionRecord version_;
    int64_t after_;
    std::shared_ptr<void> news_;
    bool reading_ = false;
    bool again_ = false;
};

}  // namespace

void follow_build_log(Context& context, net::HttpExchange& exchange, const ApiRequest& request) {
    auto version = std::make_shared<Result<registry::VersionRecord>>();
    int64_t after = -1;
    std::from_chars(request.last_event_id.data(), request.last_event_id.data() + request.last_event_id.size(),
                    after);
    const std::string& number = request.parameters.find("v")->second;
    const bool taken = context.offload(
        [&context, version, request, number] {
            *version = context.services.registry.version(request.workspace(), request.function(),
                                                         version_number(number));
        },
        [&context, &exchange, version, request, after] {
            if (!*version) return send(exchange, version->error());
            std::make_shared<BuildLogFollower>(context, exchange, request, std::move(**version), after)
                ->open();
        });
    if (!taken) send(exchange, overloaded());
}

}  // namespace hks::api
