// SPDX-License-Identifier: Apache-2.0
#pragma once
// multipart/form-data (RFC 7578) over a body that is in memory. Pure; the parts are views into the body.
// Strict: no preamble or epilogue, no encodings, no name twice, bounded numbers, so that what we read is what
// everybody reads.

#include <hks/core/error.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace hks::api {

struct Part {
    std::string name;
    std::string filename;      ///< "" = none
    std::string content_type;  ///< lower case, without parameters; "" = none
    std::string_view body;
};

inline constexpr size_t max_parts = 16;
inline constexpr size_t max_part_header_bytes = 4096;

/// The media type of a Content-Type value in lower case, without parameters: "application/json".
std::string media_type(std::string_view content_type);

/// VALIDATION_ERROR when anything is not as the standard says.
Result<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body);

const Part* find_part(const std::vector<Part>& parts, std::string_view name);

}  // namespace hks::api
