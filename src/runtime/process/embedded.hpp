// SPDX-License-Identifier: Apache-2.0
#pragma once
// The worker programs that travel inside the binary, handed out as sealed memory files.

#include <string_view>

namespace hks::runtime {

std::string_view embedded_python_worker();
std::string_view embedded_python_zygote();
std::string_view embedded_node_worker();
std::string_view embedded_sandbox_object();

/// A close-on-exec descriptor of an anonymous file with these bytes, offset 0, sealed against writes; -1 with
/// errno.
int make_memory_file(const char* name, std::string_view bytes);

}  // namespace hks::runtime
