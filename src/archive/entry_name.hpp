// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a name inside an archive may look like; the same rules for packing and for unpacking. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace hks::archive {

/// "./a//b/" → {"a", "b"}. Empty text when fine, else what is wrong with the name ("is absolute").
std::string split_name(std::string_view name, std::vector<std::string>& components);

/// A link at depth `folders` below the root may point at `target` when it cannot lead out: relative, ".."
/// only in front and not more often than there are folders. ("a/../b" is refused: `a` may itself be a link.)
bool link_stays_inside(std::string_view target, size_t folders);

/// A name for an error message: control characters and broken UTF-8 escaped, at most 120 bytes.
std::string printable(std::string_view name);

}  // namespace hks::archive
