# SPDX-License-Identifier: Apache-2.0
"""The Python zygote: an interpreter that has everything imported and forks a worker per request. A worker enters the
first half of its sandbox, the slow one, and waits for LOAD; it is made ahead of its call where it can be.

Runs no code of any user, has one thread, and keeps no descriptor besides its own. Descriptors: 3 the server's
SOCK_SEQPACKET socket, 4 this file, 5 worker.py, 6 sandbox and fork loop as a shared object (all but 3 are memory files).
"""

import ctypes
import gc
import os
import signal
import sys
import types

EXIT_NO_SANDBOX = 125

# What functions import most, so that nobody waits for it again. Names a bundle brings itself win (worker.py).
COMMON = (
    "abc array asyncio base64 binascii bisect calendar collections contextlib contextvars copy csv dataclasses datetime "
    "decimal email.message email.utils enum functools gzip hashlib heapq hmac html http http.client inspect io itertools "
    "json logging math mimetypes operator pathlib queue random re secrets shutil ssl statistics string subprocess "
    "tempfile threading time traceback typing unicodedata urllib.error urllib.parse urllib.request uuid warnings "
    "weakref zlib zoneinfo"
).split()
REHEARSALS = 20  # an interpreter adapts code to its use within the first ten runs or so


def load_worker():
    with open(5, "rb") as file:
        source = file.read()
    module = types.ModuleType("hks_worker")
    module.__file__ = "hks_worker.py"
    sys.modules["hks_worker"] = module
    exec(compile(source, "hks_worker.py", "exec"), module.__dict__)
    for name in COMMON:
        try:
            __import__(name)
        except ImportError:
            pass  # an interpreter built without it (ssl, zlib) still runs functions that do not need it
    return module


def main():
    module = load_worker()
    library = ctypes.PyDLL("/proc/self/fd/6")
    library.hks_zygote_bind.argtypes = (ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint64)
    for fd in (4, 6):
        os.close(fd)
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def bind(load):
        given = load["sandbox"]
        if library.hks_zygote_bind(os.fsencode(given["code"]), given["tmp_bytes"], given["file_bytes"]) != 0:
            os._exit(EXIT_NO_SANDBOX)

    code_path = os.environ.pop("HKS_CODE_PATH")

    def rehearse():
        module.rehearse(code_path)

    for _ in range(REHEARSALS):
        rehearse()
    worker = module.make_worker()
    gc.disable()
    gc.collect()
    gc.freeze()
    library.hks_zygote_serve(3)
    # From here on in a child, which never comes back.
    gc.enable()
    code = 1
    try:
        module.run(3, 4, worker, rehearse, bind)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        os._exit(code)


main()
