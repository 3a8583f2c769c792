// SPDX-License-Identifier: Apache-2.0
#pragma once
// The body of POST …/invoke → a request that a function can be given, checked as strictly as the edge checks
// one that came over the wire. Pure.

#include <hks/core/call.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace hks::api {

/// Owns what a CallRequest points to.
struct InvokeBody {
    std::string method = "POST";
    std::string path = "/";
    std::string query;  ///< raw, percent-encoded
    std::string body;
    std::vector<std::pair<std::string, std::string>>
        headers;      ///< lower-case names; platform tokens taken out
    int version = 0;  ///< 0 = the active one
};

Result<InvokeBody> read_invoke_body(std::string_view content_type, std::string_view text, size_t max_body);

}  // namespace hks::api
