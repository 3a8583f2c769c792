// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a request target and a Host field mean: grammar of the authority, and the one normal form of a path.
// Pure.

#include "net/refusal.hpp"

#include <string>
#include <string_view>

namespace hks::net {

/// host[":"port] of RFC 9110 section 7.2, without user information: a registered name, an IPv4 or a bracketed
/// IPv6 address; a port, when there is a colon, of 1–65535.
bool is_valid_authority(std::string_view text);

struct TargetParts {
    std::string_view authority;  ///< of absolute-form; empty in origin-form
    std::string_view raw_path;
    std::string_view query;  ///< without '?'
};

/// Splits origin-form, absolute-form (http and https), and for OPTIONS asterisk-form. Refuses everything
/// else.
Refusal split_target(std::string_view target, bool is_options, TargetParts& parts);

/// The path that routes and permissions are decided on: %-escapes decoded once, except %2F and %5C, which
/// stay escaped (in upper case); empty, "." and ".." segments resolved. `path` is `raw` itself when nothing
/// had to change, else a view of `storage`. Refuses broken escapes, control characters and paths that lead
/// above the root.
Refusal normalise_path(std::string_view raw, std::string& storage, std::string_view& path);

}  // namespace hks::net
