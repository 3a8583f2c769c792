// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which row of the route table a request means. Pure.

#include "route.hpp"

#include <span>
#include <string>

namespace hks::api {

struct RouteMatch {
    const Route* route = nullptr;  ///< null: see `allow`
    std::map<std::string, std::string, std::less<>> parameters;
    std::string allow;  ///< methods of the same path, when only the method is wrong: "GET, POST"
};

/// `path` is the normalised, decoded one. HEAD finds GET's row.
RouteMatch find_route(std::span<const Route> routes, std::string_view method, std::string_view path);

/// Decodes a raw query; VALIDATION_ERROR names parameters that are not in `known` (space-separated), given
/// twice or not decodable.
Result<std::map<std::string, std::string, std::less<>>> read_query(std::string_view raw,
                                                                   std::string_view known);

/// NOT_FOUND for a path that no route has, with what to do.
Error no_such_route(std::string_view method, std::string_view path);

}  // namespace hks::api
