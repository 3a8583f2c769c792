// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

namespace hks::build {

/// True when JavaScript text is an ES module: `import` or `export` stands at its top level, or import.meta
/// anywhere. A scanner that skips comments, strings, templates and (by what stands before the slash) regular
/// expressions. Pure.
bool is_es_module(std::string_view source);

}  // namespace hks::build
