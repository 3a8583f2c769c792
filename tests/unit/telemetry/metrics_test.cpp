// SPDX-License-Identifier: Apache-2.0
#include <hks/telemetry/metrics.hpp>

#include <catch2/catch.hpp>
#include <sstream>
#include <stdexcept>
#include <thread>

using namespace hks::telemetry;

namespace {

bool has_line(const std::string& text, const std::string& line) {
    return text.starts_with(line + "\n") || text.find("\n" + line + "\n") != std::string::npos;
}

size_t count_of(const std::string& text, const std::string& part) {
    size_t n = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
    return n;
}

}  // namespace

TEST_CASE("an empty registry renders nothing") {
    CHECK(MetricsRegistry().render().empty());
}

TEST_CASE("a counter is rendered with help and type") {
    MetricsRegistry metrics;
    metrics.counter("hks_calls_total", "Calls.").add(3);
    CHECK(metrics.render() ==
          "# HELP hks_calls_total Calls.\n# TYPE hks_calls_total counter\nhks_calls_total 3\n");
}

TEST_CASE("help and type stand once before all series of a name") {
    MetricsRegistry metrics;
    metrics.gauge("b", "B.", {{"f", "1"}}).set(-5);
    metrics.counter("a", "A.");
    metrics.gauge("b", "other help", {{"f", "2"}}).add(7);
    CHECK(metrics.render() ==
          "# HELP a A.\n# TYPE a counter\na 0\n"
          "# HELP b B.\n# TYPE b gauge\nb{f=\"1\"} -5\nb{f=\"2\"} 7\n");
}

TEST_CASE("the same name and labels are the same series") {
    MetricsRegistry metrics;
    auto& one = metrics.counter("a", "", {{"x", "1"}, {"y", "2"}});
    CHECK(&one == &metrics.counter("a", "", {{"x", "1"}, {"y", "2"}}));
    CHECK(&one == &metrics.counter("a", "", {{"y", "2"}, {"x", "1"}}));
    CHECK(&one != &metrics.counter("a", "", {{"x", "1"}}));
}

TEST_CASE("labels and help are escaped") {
    MetricsRegistry metrics;
    metrics.counter("a", "back\\slash\nline \"quote\"", {{"l", "q\" b\\ n\n \xc3\xa4"}, {"m", "\xff"}});
    const auto text = metrics.render();
    CHECK(has_line(text, "# HELP a back\\\\slash\\nline \"quote\""));
    CHECK(has_line(text, "a{l=\"q\\\" b\\\\ n\\n \xc3\xa4\",m=\"?\"} 0"));
}

TEST_CASE("a histogram's buckets are cumulative and end with +Inf") {
    MetricsRegistry metrics;
    auto& histogram = metrics.histogram("d_seconds", "D.", {{"f", "x"}});
    histogram.observe_us(100);  // on the bound: within
    histogram.observe_us(101);
    histogram.observe_us(2'000'000);
    histogram.observe_us(200'000'000);  // above every bound
    const auto text = metrics.render();
    CHECK(has_line(text, "# TYPE d_seconds histogram"));
    CHECK(has_line(text, "d_seconds_bucket{f=\"x\",le=\"0.0001\"} 1"));
    CHECK(has_line(text, "d_seconds_bucket{f=\"x\",le=\"0.00025\"} 2"));
    CHECK(has_line(text, "d_seconds_bucket{f=\"x\",le=\"1\"} 2"));
    CHECK(has_line(text, "d_seconds_bucket{f=\"x\",le=\"2.5\"} 3"));
    CHECK(has_line(text, "d_seconds_bucket{f=\"x\",le=\"100\"} 3"));
    CHECK(has_line(text, "d_seconds_bucket{f=\"x\",le=\"+Inf\"} 4"));
    CHECK(has_line(text, "d_seconds_sum{f=\"x\"} 202.000201"));
    CHECK(has_line(text, "d_seconds_count{f=\"x\"} 4"));
    CHECK(count_of(text, "_bucket{") == Histogram::bounds.size() + 1);
    CHECK(histogram.count() == 4);
}

TEST_CASE("a histogram without labels has le alone") {
    MetricsRegistry metrics;
    metrics.histogram("d", "D.").observe_us(0);
    const auto text = metrics.render();
    CHECK(has_line(text, "d_bucket{le=\"0.0001\"} 1"));
    CHECK(has_line(text, "d_sum 0"));
    CHECK(has_line(text, "d_count 1"));
}

TEST_CASE("removed series are not shown, their references stay good") {
    MetricsRegistry metrics;
    auto& gone = metrics.counter("a", "A.", {{"function", "x"}, {"version", "1"}});
    metrics.counter("a", "A.", {{"function", "y"}}).add();
    metrics.histogram("h", "H.", {{"function", "x"}});
    metrics.remove_series({{"function", "x"}});
    gone.add();
    const auto text = metrics.render();
    CHECK(text == "# HELP a A.\n# TYPE a counter\na{function=\"y\"} 1\n");
}

TEST_CASE("a removed series that is asked for again goes on where it was") {
    MetricsRegistry metrics;
    auto& first = metrics.counter("a", "", {{"f", "x"}});
    first.add(2);
    metrics.remove_series({{"f", "x"}});
    CHECK(&metrics.counter("a", "", {{"f", "x"}}) == &first);
    CHECK(has_line(metrics.render(), "a{f=\"x\"} 2"));
}

TEST_CASE("only series that carry all the labels are removed") {
    MetricsRegistry metrics;
    metrics.counter("a", "", {{"f", "x"}, {"v", "1"}});
    metrics.counter("a", "", {{"f", "x"}, {"v", "2"}});
    metrics.remove_series({{"f", "x"}, {"v", "2"}});
    metrics.remove_series({});
    const auto text = metrics.render();
    CHECK(has_line(text, "a{f=\"x\",v=\"1\"} 0"));
    CHECK(count_of(text, "a{") == 1);
}

TEST_CASE("one name as two kinds is a defect") {
    MetricsRegistry metrics;
    metrics.counter("a", "");
    CHECK_THROWS_AS(metrics.gauge("a", ""), std::logic_error);
}

TEST_CASE("series may be made, counted and rendered by many threads") {
    MetricsRegistry metrics;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&metrics, t] {
            for (int i = 0; i < 500; ++i) {
                metrics.counter("a", "", {{"i", std::to_string(i % 10)}}).add();
                metrics.histogram("h", "").observe_us(static_cast<uint64_t>(i));
                if (t == 0 && i % 50 == 0) (void)metrics.render();
                if (t == 1 && i % 50 == 0) metrics.remove_series({{"i", "3"}});
            }
        });
    for (auto& thread : threads) thread.join();
    uint64_t total = 0;
    for (int i = 0; i < 10; ++i) total += metrics.counter("a", "", {{"i", std::to_string(i)}}).value();
    CHECK(total == 2'000);
    CHECK(metrics.histogram("h", "").count() == 2'000);
}
