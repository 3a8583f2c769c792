# SPDX-License-Identifier: Apache-2.0
"""Part 1 of hks_worker, the Python side of the worker protocol: one process, one connection, one function version.

The parts are joined in the order frames, event, answer, logs, worker, tasks, web, load, and run as one module that the
zygote imports before it forks. So importing it creates no thread, loop, file or other state; run() is called in the
child, inside its sandbox. Frames are described in docs/adr/0002-worker-protocol.md.
"""

import struct

LOAD, CALL, CHUNK, CANCEL, PING, DRAIN, CREDIT = 1, 2, 3, 4, 5, 6, 7
HELLO, READY, FAILED, RESULT, ERROR, LOG, PONG, DONE = 16, 17, 18, 19, 20, 21, 22, 23
END, TEXT, OBJECT = 1, 2, 4
STDOUT, STDERR = 1, 2

HEADER = struct.Struct("<IIIBBH")  # size, meta, call, type, flags, aux
pack_header = HEADER.pack
TIME_BITS = 10  # of a RESULT's aux: below the status, above the size in bits of the run's microseconds
WINDOW = 256 * 1024  # a streamed answer may be so far ahead of its client


def frame(kind, call=0, meta=b"", body=b"", flags=0, aux=0):
    return pack_header(len(meta) + len(body), len(meta), call, kind, flags, aux) + meta + body
