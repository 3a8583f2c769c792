// SPDX-License-Identifier: Apache-2.0
#pragma once
// How much memory a worker and its children really use, where the kernel does not limit it. Reads /proc,
// keeps nothing.

#include <cstdint>

namespace hks::runtime {

/// Proportional bytes of a process and all its descendants; when their resident size alone is below `enough`
/// the cheaper figure is returned. 0 when the process is gone.
uint64_t memory_of(int pid, uint64_t enough);

}  // namespace hks::runtime
