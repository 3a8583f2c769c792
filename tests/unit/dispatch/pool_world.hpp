// SPDX-License-Identifier: Apache-2.0
#pragma once
// A PoolSet with everything round it by hand: time, instances, the catalog.

#include <dispatch/pool_set.hpp>
#include <hks/telemetry/logger.hpp>
#include <hks/telemetry/metrics.hpp>
#include <support/fake_backend.hpp>
#include <support/manual_clock.hpp>

#include <memory>
#include <vector>

namespace hks::test {

using namespace std::chrono_literals;

class PoolWorld {
  public:
    explicit PoolWorld(dispatch::DispatcherOptions options = {})
        : set(std::make_unique<dispatch::PoolSet>(options, services())) {}

    std::shared_ptr<Version> make_version(const std::string& function = "hello", int number = 1) {
        auto version = std::make_shared<Version>();
        version->key = ++last_key;
        version->number = number;
        version->function = function;
        version->workspace = "default";
        version->spec.runtime = {"python", "3.11"};
        return version;
    }

    /// Sets the catalog: `active` is every function's only version, `others` are reachable by number.
    void publish(std::vector<std::shared_ptr<Version>> active,
                 std::vector<std::shared_ptr<Version>> others = {}) {
        auto catalog = std::make_shared<registry::Catalog>();
        auto entries = std::map<std::string, std::shared_ptr<registry::FunctionEntry>>();
        const auto add = [&](const std::shared_ptr<Version>& version, bool is_active) {
            auto& entry = entries[version->workspace + "/" + version->function];
            if (!entry) entry = std::make_shared<registry::FunctionEntry>();
            entry->name = version->function;
            entry->workspace = version->workspace;
            entry->versions[version->number] = version;
            if (is_active) entry->active = version;
        };
        for (const auto& version : active) add(version, true);
        for (const auto& version : others) add(version, false);
        for (auto& [key, entry] : entries) catalog->functions[key] = entry;
        set->reconcile(catalog);
        settle();
    }

    /// Lets time pass, waking the set whenever it wants to be woken.
    void pass(std::chrono::microseconds time) {
        const SteadyTime until = clock.steady() + time;
        settle();
        while (wake <= until) {
            if (wake > clock.steady()) move_to(wake);
            wake = dispatch::never;
            ++wakes;
            set->advance(clock.steady());
            settle();
        }
        move_to(until);
    }
    void settle() {
        while (settle_asked) {
            settle_asked = false;
            set->settle();
        }
    }
    /// `n` calls one after the other that run for `run` each: the service time is known afterwards.
    void teach(dispatch::VersionPool& pool, std::chrono::microseconds run, int n = 20) {
        for (int i = 0; i < n; ++i) {
            FakeCall call;
            pool.invoke(call);
            if (i == 0 && !backend.live.empty() && call.times.sent == SteadyTime{})
                backend.live.back()->become_ready();
            pass(run);
            for (FakeInstance* instance : std::vector(backend.live))
                if (!instance->sent.empty()) instance->answer();
        }
    }

    ManualClock clock;
    FakeBackend backend;
    FakeLogSink logs;
    telemetry::Logger logger{telemetry::Level::off, telemetry::Format::text};
    telemetry::MetricsRegistry metrics;
    std::unique_ptr<Error> environment_error;
    SteadyTime wake = dispatch::never;
    bool settle_asked = false;
    size_t wakes = 0;
    int64_t last_key = 0;
    std::unique_ptr<dispatch::PoolSet> set;

  private:
    void move_to(SteadyTime time) {
        clock.advance(std::chrono::ceil<std::chrono::microseconds>(time - clock.steady()));
    }
    dispatch::PoolServices services() {
        return {backend,
                logs,
                clock,
                logger,
                metrics,
                [this](const Version& version) -> Result<dispatch::Environment> {
                    if (environment_error) return *environment_error;
                    return dispatch::Environment(version.spec.variables.begin(),
                                                 version.spec.variables.end());
                },
                [this](SteadyTime at) { wake = std::min(wake, at); },
                [this] { settle_asked = true; }};
    }
};

}  // namespace hks::test
