// SPDX-License-Identifier: Apache-2.0
#pragma once
// Quantities as people write them in manifests. Pure.

#include <hks/core/error.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace hks {

/// "128Mi", "1Gi", "512M", "1048576" → bytes.
Result<uint64_t> parse_bytes(std::string_view text);
/// Bytes → the shortest exact spelling ("128Mi").
std::string format_bytes(uint64_t bytes);
/// "30s", "500ms", "2m", "1h30m", "24h", "7d"; a bare number is seconds.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string format_duration(std::chrono::milliseconds duration);
/// "100m" or "0.5" or "2" cores → thousandths of a core.
Result<uint32_t> parse_cpu(std::string_view text);
std::string format_cpu(uint32_t millis);

}  // namespace hks
