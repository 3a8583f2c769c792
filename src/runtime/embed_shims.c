/* SPDX-License-Identifier: Apache-2.0 */
/* The files of shims/ and the sandbox object, as bytes of this binary. CMake passes the paths and rebuilds
 * this file when one of them changes. */

#define HKS_FILE(path) ".incbin \"" path "\"\n"

#define HKS_EMBED(symbol, files)                         \
    __asm__(                                             \
        ".section .rodata\n"                             \
        ".global " #symbol                               \
        "_begin\n"                                       \
        ".global " #symbol                               \
        "_end\n"                                         \
        ".balign 16\n" #symbol "_begin:\n" files #symbol \
        "_end:\n"                                        \
        ".byte 0\n"                                      \
        ".previous\n")

#define HKS_PYTHON_PART(name) HKS_FILE(HKS_SHIMS "/python/worker/" name ".py")

HKS_EMBED(hks_shim_python_worker,
          HKS_PYTHON_PART("frames") HKS_PYTHON_PART("event") HKS_PYTHON_PART("answer") HKS_PYTHON_PART("logs")
              HKS_PYTHON_PART("worker") HKS_PYTHON_PART("tasks") HKS_PYTHON_PART("web")
                  HKS_PYTHON_PART("load"));
HKS_EMBED(hks_shim_python_zygote, HKS_FILE(HKS_SHIMS "/python/zygote.py"));
HKS_EMBED(hks_shim_node_worker, HKS_FILE(HKS_SHIMS "/node/worker.js"));
HKS_EMBED(hks_shim_sandbox, HKS_FILE(HKS_SANDBOX_OBJECT));
