/* SPDX-License-Identifier: Apache-2.0 */
/* The files of shims/ and the sandbox object, as bytes of this binary. CMake passes the paths and rebuilds this file
 * when one of them changes. */

#define HKS_EMBED(symbol, path)                \
    __asm__(                                   \
        ".section .rodata\n"                   \
        ".global " #symbol "_begin\n"          \
        ".global " #symbol "_end\n"            \
        ".balign 16\n" #symbol "_begin:\n"     \
        ".incbin \"" path "\"\n" #symbol       \
        "_end:\n"                              \
        ".byte 0\n"                            \
        ".previous\n")

HKS_EMBED(hks_shim_python_worker, HKS_SHIMS "/python/worker.py");
HKS_EMBED(hks_shim_python_zygote, HKS_SHIMS "/python/zygote.py");
HKS_EMBED(hks_shim_node_worker, HKS_SHIMS "/node/worker.js");
HKS_EMBED(hks_shim_sandbox, HKS_SANDBOX_OBJECT);
