# SPDX-License-Identifier: Apache-2.0
"""The Python zygote: an interpreter that has everything imported and forks a worker per request.

Runs no code of any user, has one thread, and keeps no descriptor besides its own. Descriptors: 3 the server's
SOCK_SEQPACKET socket, 4 this file, 5 worker.py, 6 the sandbox as a shared object (all but 3 are memory files).
A request is a u64 serial, a hks_sandbox_spec that only the sandbox reads, and the worker's descriptors; a report is
a SpawnReport of spawner_protocol.hpp.
"""

import ctypes
import gc
import os
import select
import signal
import socket
import struct
import sys
import types

STARTED, EXITED, FAILED, READY = 1, 2, 4, 5
REPORT = struct.Struct("<IiQiI")
SERIAL = struct.Struct("<Q")
EXIT_NO_SANDBOX = 125

# What functions import most, so that nobody waits for it again. Names a bundle brings itself win (worker.py).
COMMON = (
    "abc array asyncio base64 binascii bisect calendar collections contextlib contextvars copy csv dataclasses datetime "
    "decimal email.message email.utils enum functools gzip hashlib heapq hmac html http http.client inspect io itertools "
    "json logging math mimetypes operator pathlib queue random re secrets shutil ssl statistics string subprocess "
    "tempfile threading time traceback typing unicodedata urllib.error urllib.parse urllib.request uuid warnings "
    "weakref zlib zoneinfo"
).split()


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


class Zygote:
    def __init__(self):
        self.control = socket.socket(fileno=3)
        self.worker = load_worker()
        sandbox = ctypes.CDLL("/proc/self/fd/6")
        self.enter = sandbox.hks_sandbox_enter
        self.enter.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
        self.serials = {}
        for fd in (4, 6):
            os.close(fd)
        self.wake, wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)

    def report(self, kind, serial, pid=0, status=0):
        try:
            self.control.send(REPORT.pack(kind, pid, serial, status, 0))
        except OSError:
            os._exit(0)  # the server has gone

    def become_worker(self, spec, descriptors):
        """In the child: never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for ours in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(ours, signal.SIG_DFL)
            self.control.detach()  # its number is about to become the worker's connection
            numbers = (ctypes.c_int * len(descriptors))(*descriptors)
            if self.enter(spec, numbers, len(descriptors)) != 0:
                os._exit(EXIT_NO_SANDBOX)
            gc.enable()
            self.worker.run(3, 4)
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

    def fork(self, request, descriptors):
        (serial,) = SERIAL.unpack_from(request)
        try:
            pid = os.fork()
        except OSError as error:
            self.report(FAILED, serial, status=error.errno)
        else:
            if pid == 0:
                self.become_worker(request[SERIAL.size :], descriptors)
            self.serials[pid] = serial
            self.report(STARTED, serial, pid)
        for fd in descriptors:
            os.close(fd)

    def reap(self):
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid = ended.si_pid
            try:
                os.killpg(pid, signal.SIGKILL)  # while it is a zombie, its group can be nobody else's
            except OSError:
                pass
            _, status = os.waitpid(pid, 0)
            self.report(EXITED, self.serials.pop(pid, 0), pid, status)

    def run(self):
        self.report(READY, 0, os.getpid())
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.wake, select.POLLIN)
        room = socket.CMSG_SPACE(12 * 4)
        while True:
            for fd, _ in poll.poll():
                if fd == self.wake:
                    os.read(self.wake, 512)
                    self.reap()
                    continue
                try:
                    request, ancillary, _, _ = self.control.recvmsg(8192, room, socket.MSG_CMSG_CLOEXEC)
                except ConnectionError:
                    return
                if not request:
                    return
                descriptors = []
                for level, kind, data in ancillary:
                    if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                        descriptors.extend(struct.unpack(f"{len(data) // 4}i", data))
                self.fork(request, descriptors)


gc.disable()
zygote = Zygote()
gc.collect()
gc.freeze()
zygote.run()
