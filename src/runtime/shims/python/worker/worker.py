# SPDX-License-Identifier: Apache-2.0
"""Part 5 of hks_worker: the connection, and ordinary handlers on it, one call after the other in the main thread (the
fast way) or, with concurrency, in a few threads."""

import asyncio
import collections
import ctypes
import json
import marshal
import mmap
import os
import socket
import sys
import threading
import time

from hks_worker import (
    CALL, CANCEL, CHUNK, CREDIT, DONE, DRAIN, END, ERROR, HEADER, LOAD, PING, PONG, RESULT, STDERR, STDOUT,
    TIME_BITS, TYPE_TEXT, WINDOW, call_id, chunk_bytes, Context, describe, encode_answer, frame, LogHandler, LogStream,
    make_event, pack_header, stream_head,
)

READ_SIZE = 64 * 1024
QUICK_RUN = 200e-6  # seconds; after QUICK_RUNS of them in a row answers may wait for their batch
QUICK_RUNS = 16
LONGEST_HOLD = 0.001  # seconds
PUSH_AFTER = LONGEST_HOLD / 2

try:
    set_timer = ctypes.PyDLL(None).timerfd_settime
    set_timer.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    ITIMERSPEC = (ctypes.c_long * 4)(0, 0, 0, int(LONGEST_HOLD * 1e9))
    ONE_MILLISECOND = ctypes.addressof(ITIMERSPEC)
except Exception:  # an interpreter without ctypes: every answer leaves at once
    set_timer = None


def make_timer():
    timer = ctypes.PyDLL(None).timerfd_create(time.CLOCK_MONOTONIC, os.O_CLOEXEC) if set_timer is not None else -1
    return timer if timer >= 0 else None


class Stopped(BaseException):
    """SIGTERM while the main thread waits for work."""


class Stream:
    """What the server has said about an answer that is being streamed, or a call that runs beside others."""

    __slots__ = ("credit", "cancelled", "wake", "changed")

    def __init__(self, wake=None):
        self.credit = WINDOW
        self.cancelled = False
        self.wake = wake  # called when something changed


class Worker:
    def __init__(self):
        self.socket = self.page = None
        self.out = []  # pieces of frames on their way out; append is atomic, taking needs the lock
        self.lock = threading.Lock()
        self.pending = collections.deque()  # (call, flags, event, body) not yet started
        self.unfinished = {}  # call: [flags, event, parts] whose body is still coming
        self.streams = {}  # call: Stream
        self.rest, self.missing = [], 0
        self.current = 0  # the call whose handler runs; 0 between calls and beside concurrent ones
        self.quick = 0  # so many runs in a row were quick
        self.waiting = False  # in recv with nothing to do
        self.draining = False
        self.load = None
        self.timer = None  # descriptor
        self.pushed = 0  # when it was set
        self.stdout, self.stderr = LogStream(self, STDOUT), LogStream(self, STDERR)
        self.log_handler = LogHandler(self)
        self.on_sigterm = self.handle_sigterm  # one object, to be recognised

    def connect(self, connection_fd, page_fd):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, connection_fd)
        page = os.dup(page_fd)
        os.close(page_fd)
        self.page = memoryview(mmap.mmap(page, 4096)).cast("I")  # it keeps a copy of the descriptor: page_fd again
        os.close(page)

    def handle_sigterm(self, *_):
        self.draining = True
        if self.waiting:
            raise Stopped

    # Writing

    def flush(self):
        with self.lock:
            count = len(self.out)
            if count:
                data = b"".join(self.out[:count])
                del self.out[:count]
                try:
                    self.socket.sendall(data)
                except OSError:
                    os._exit(0)  # the server has gone, and with it everybody who wants to know

    def logged(self):
        """Lines should be seen at once, but not at the price of a system call each while calls take microseconds."""
        now = time.monotonic()
        if self.quick < QUICK_RUNS:
            self.flush()
        elif now - self.pushed > PUSH_AFTER:
            self.hold(now)

    def hold(self, now):
        """What is in `out` may wait, for a millisecond at most: a timer then wakes a thread that flushes. Batches keep
        pushing the timer on, so that under load it never fires; that is done rarely, because it is a system call."""
        if self.timer is None:
            self.timer = make_timer()
            if self.timer is None:
                return self.flush()
            sys.setswitchinterval(0.001)
            threading.Thread(target=self.flush_late, name="hks-flush", daemon=True).start()
        self.pushed = now
        set_timer(self.timer, 0, ONE_MILLISECOND, None)

    def flush_late(self):
        while True:
            os.read(self.timer, 8)
            self.flush()

    def end_lines(self, call):
        if self.stdout.partial:
            self.stdout.finish(call)
        if self.stderr.partial:
            self.stderr.finish(call)

    def answer(self, call, status, block, body, ran=0):
        """ran: seconds that the handler took; 0 = not known."""
        self.end_lines(call)
        aux = status | int(ran * 1e6).bit_length() << TIME_BITS
        self.out += (pack_header(len(block) + len(body), len(block), call, RESULT, END, aux), block, body)

    def fail(self, call, error):
        self.end_lines(call)
        self.out.append(frame(ERROR, call, describe(error)))

    def done(self, call):
        self.end_lines(call)
        self.out.append(frame(DONE, call))

    # Reading

    def read(self, flags=0):
        """Reads once, waiting unless told otherwise, and sorts the frames."""
        try:
            data = self.socket.recv(max(READ_SIZE, self.missing), flags)
        except BlockingIOError:
            return False
        except ConnectionError:
            data = b""
        if not data:
            os._exit(0)  # the server has gone
        self.take(data)
        return True

    def take(self, data):
        if self.rest:
            self.rest.append(data)
            self.missing -= len(data)
            if self.missing > 0:
                return
            data = b"".join(self.rest)
            self.rest = []
        at, size = 0, len(data)
        self.missing = 0
        while size - at >= 16:
            length, meta, call, kind, flags, _ = HEADER.unpack_from(data, at)
            start = at + 16
            end = start + length
            if end > size:
                self.missing = end - size
                break
            middle = start + meta
            if kind == CALL and flags & END:
                self.pending.append((call, flags, data[start:middle], data[middle:end]))
            else:
                self.handle(kind, flags, call, data[start:middle], data[middle:end])
            at = end
        if at < size:
            self.rest.append(data[at:])
            self.missing = self.missing or 16 - (size - at)

    def handle(self, kind, flags, call, meta, body):
        if kind == CALL:
            self.unfinished[call] = [flags, meta, [body]]
        elif kind == CHUNK:
            begun = self.unfinished.get(call)
            if begun is not None:
                begun[2].append(body)
                if flags & END:
                    del self.unfinished[call]
                    self.pending.append((call, begun[0], begun[1], b"".join(begun[2])))
        elif kind == CREDIT:
            stream = self.streams.get(call)
            if stream is not None:
                stream.credit += int.from_bytes(body[:4], "little")
                if stream.wake is not None:
                    stream.wake()
        elif kind == CANCEL:
            self.cancel(call)
        elif kind == PING:
            self.out.append(frame(PONG, call, meta, body))
            self.flush()
        elif kind == DRAIN:
            self.draining = True
        elif kind == LOAD:
            self.load = json.loads(meta)

    def cancel(self, call):
        stream = self.streams.get(call)
        if stream is not None:
            stream.cancelled = True
            if stream.wake is not None:
                stream.wake()
            return
        if self.unfinished.pop(call, None) is None:
            for item in self.pending:
                if item[0] == call:
                    self.pending.remove(item)
                    break
            else:
                return  # it was answered while the cancellation was on its way
        self.out.append(frame(DONE, call))
        self.flush()

    # Streaming from ordinary code; `wait` comes back when something about the stream may have changed

    def send_stream(self, call, status, block, source, stream, wait):
        body, typed = source
        iterator = iterate_async(body) if not hasattr(body, "__next__") else body
        begun = False
        try:
            while not stream.cancelled:
                try:
                    chunk = next(iterator)
                except StopIteration:
                    break
                data = chunk_bytes(chunk)
                if not begun:
                    begun = True
                    self.out.append(frame(RESULT, call, stream_head(block, typed, chunk), b"", 0, status))
                while data and not stream.cancelled:
                    if stream.credit <= 0:
                        self.flush()
                        wait()
                        continue
                    part = data[: stream.credit]
                    data = data[len(part) :]
                    stream.credit -= len(part)
                    self.out.append(frame(CHUNK, call, b"", part))
                self.flush()
                wait(False)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
        if stream.cancelled:
            return self.done(call)
        self.end_lines(call)
        if begun:
            self.out.append(frame(CHUNK, call, flags=END))
        else:
            self.answer(call, status, block if typed else block + TYPE_TEXT, b"")

    # One call after the other

    def serve_serial(self, function, wants):
        pending, out, page, loads, monotonic = self.pending, self.out, self.page, marshal.loads, time.monotonic
        popleft, recv = pending.popleft, self.socket.recv
        printed, failed = self.stdout.partial, self.stderr.partial
        batch = 0  # when it was read
        while True:
            if not pending:
                if self.draining:
                    return
                if out:
                    self.flush()
                self.waiting = True
                data = recv(self.missing or READ_SIZE)
                self.waiting = False
                if not data:
                    os._exit(0)  # the server has gone
                self.take(data)
                batch = now = monotonic()
                continue
            if self.quick < QUICK_RUNS:
                if out:
                    self.flush()
                if len(pending) > 1:
                    self.read(socket.MSG_DONTWAIT)  # somebody may have been cancelled meanwhile
                    if not pending:
                        continue
                now = monotonic()
            call, flags, meta, body = popleft()
            page[0] = self.current = call
            if out:
                if now - batch > LONGEST_HOLD:
                    self.flush()
                    batch = now
                elif now - self.pushed > PUSH_AFTER:
                    self.hold(now)
            ended = 0
            try:
                array = loads(meta)
                if wants == 2:
                    result = function(make_event(array, flags, body), Context(array, now))
                elif wants == 1:
                    result = function(make_event(array, flags, body))
                elif wants == 0:
                    result = function()
                else:
                    result = function(array, flags, body)
                if hasattr(result, "__await__"):
                    result = run_awaitable(result)
                status, block, body = encode_answer(result) if wants < 3 else result
                if type(body) is bytes:
                    if printed or failed:
                        self.end_lines(call)
                    ended = monotonic()
                    status |= int((ended - now) * 1e6).bit_length() << TIME_BITS
                    out += (pack_header(len(block) + len(body), len(block), call, RESULT, END, status), block, body)
                else:
                    stream = self.streams[call] = Stream()
                    try:
                        self.send_stream(call, status, block, body, stream, self.wait_serial)
                    finally:
                        del self.streams[call]
            except (SystemExit, Stopped):
                self.end_lines(call)
                self.flush()
                raise
            except BaseException as error:
                self.fail(call, error)
            self.current = 0
            ended = ended or monotonic()
            self.quick = self.quick + 1 if ended - now < QUICK_RUN else 0
            now = ended

    def wait_serial(self, block=True):
        self.read(0 if block else socket.MSG_DONTWAIT)

    # Several calls at once, in threads

    def serve_threads(self, function, wants, count):
        work = collections.deque()
        ready = threading.Semaphore(0)
        idle = [0]

        def thread():
            while True:
                idle[0] += 1
                ready.acquire()
                idle[0] -= 1
                self.run_threaded(work.popleft(), function, wants)

        started = 0
        while True:
            self.flush()
            while self.pending:
                item = self.pending.popleft()
                self.streams[item[0]] = Stream(threading.Event().set)
                work.append(item)
                if started < count and idle[0] < len(work):
                    started += 1
                    threading.Thread(target=thread, name=f"hks-call-{started}", daemon=True).start()
                ready.release()
            if self.draining:
                while self.streams:
                    time.sleep(0.005)
                return
            try:
                self.waiting = True
                self.read()
            except Stopped:
                pass
            self.waiting = False

    def run_threaded(self, item, function, wants):
        call, flags, meta, body = item
        stream = self.streams[call]
        changed = stream.wake.__self__
        with self.lock:
            self.page[0] = max(self.page[0], call)  # who was overtaken counts as started, too
        call_id.set(call)

        def wait(block=True):
            if block:
                changed.wait()
                changed.clear()

        try:
            if stream.cancelled:
                return self.done(call)
            array = marshal.loads(meta)
            if wants == 3:
                result = function(array, flags, body)
            else:
                result = function(*(make_event(array, flags, body), Context(array, time.monotonic()))[:wants])
            if hasattr(result, "__await__"):
                result = run_awaitable(result)
            status, block, body = encode_answer(result) if wants < 3 else result
            if stream.cancelled:
                self.done(call)
            elif type(body) is bytes:
                self.answer(call, status, block, body)
            else:
                self.send_stream(call, status, block, body, stream, wait)
        except SystemExit as end:
            self.end_lines(call)
            self.flush()
            os._exit(exit_code(end))
        except BaseException as error:
            self.fail(call, error)
        finally:
            del self.streams[call]
            call_id.set(0)
            self.flush()


def exit_code(end):
    return end.code if isinstance(end.code, int) else int(end.code is not None)


def own_loop(local=threading.local()):
    """The event loop of this thread, for coroutines that ordinary handlers return."""
    if getattr(local, "loop", None) is None:
        local.loop = asyncio.new_event_loop()
    return local.loop


def run_awaitable(awaitable):
    async def finish():
        return await awaitable

    return own_loop().run_until_complete(finish())


def iterate_async(source):
    iterator = source.__aiter__()
    try:
        while True:
            try:
                yield run_awaitable(iterator.__anext__())
            except StopAsyncIteration:
                return
    finally:
        if hasattr(iterator, "aclose"):
            run_awaitable(iterator.aclose())
