# SPDX-License-Identifier: Apache-2.0
"""Part 6 of hks_worker: async handlers, every call a task of an event loop."""

import asyncio
import marshal
import os
import select
import selectors
import signal
import socket
import time

from hks_worker import (
    CHUNK, END, QUICK_RUN, RESULT, TYPE_TEXT, call_id, chunk_bytes, Context, encode_answer, exit_code, frame, make_event,
    stream_head, WINDOW,
)


class PreciseSelector(selectors.EpollSelector):
    """Waits as long as it is asked to: epoll rounds up to milliseconds, which a sleep of ten notices."""

    def select(self, timeout=None):
        if timeout is not None and 0 < timeout < 1 and self.fileno() < 1024:
            select.select((self.fileno(),), (), (), timeout)
            timeout = 0
        return super().select(timeout)


def make_loop():
    loop = asyncio.new_event_loop()
    if type(loop) is not asyncio.SelectorEventLoop:
        return loop  # what the function has asked for: uvloop, say
    loop.close()
    return asyncio.SelectorEventLoop(PreciseSelector())


class TaskStream:
    """What a Stream is, for a call that is a task."""

    __slots__ = ("credit", "cancelled", "changed", "task", "slow")

    def __init__(self):
        self.credit = WINDOW
        self.cancelled = self.slow = False
        self.changed = self.task = None

    def wake(self):
        if self.cancelled:
            self.task.cancel()
        elif self.changed is not None:
            self.changed.set()

    async def wait(self):
        if self.changed is None:
            self.changed = asyncio.Event()
        self.changed.clear()
        await self.changed.wait()


class AsyncServer:
    """Runs async handlers and ASGI applications: every call is a task; with concurrency 1 one after the other."""

    def __init__(self, worker, run_one, count):
        self.worker, self.run_one, self.count = worker, run_one, count
        self.loop = make_loop()
        self.running = set()
        self.flushing = False
        self.stopped = self.loop.create_future()

    def serve(self):
        self.loop.add_reader(self.worker.socket.fileno(), self.on_readable)
        if signal.getsignal(signal.SIGTERM) is self.worker.on_sigterm:
            self.loop.add_signal_handler(signal.SIGTERM, self.drain)
        self.start_pending()
        self.loop.run_until_complete(self.stopped)
        self.loop.remove_reader(self.worker.socket.fileno())

    def drain(self):
        self.worker.draining = True
        self.start_pending()

    def on_readable(self):
        self.worker.read(socket.MSG_DONTWAIT)
        self.start_pending()

    def start_pending(self):
        worker = self.worker
        while worker.pending and (self.count > 1 or not self.running):
            item = worker.pending.popleft()
            call = item[0]
            if self.count == 1:
                worker.current = call
            stream = worker.streams[call] = TaskStream()
            stream.task = self.loop.create_task(self.run(item, stream))
            self.running.add(stream.task)
        if worker.draining and not self.running and not worker.pending and not self.stopped.done():
            self.stopped.set_result(None)

    async def run(self, item, stream):
        worker, call = self.worker, item[0]
        worker.page[0] = call  # tasks begin in the order of their calls
        call_id.set(call)
        try:
            await self.run_one(self, item, stream)
            if stream.cancelled:
                worker.done(call)
        except SystemExit as end:
            worker.end_lines(call)
            worker.flush()
            os._exit(exit_code(end))
        except BaseException as error:
            if stream.cancelled:
                worker.done(call)
            else:
                worker.fail(call, error)
        worker.end_lines(call)
        del worker.streams[call]
        self.running.discard(stream.task)
        if self.count == 1:
            worker.current = 0
        if stream.slow:  # others will hardly end in the same turn
            self.after_turn()
        elif not self.flushing:
            self.flushing = True
            self.loop.call_soon(self.after_turn)

    def after_turn(self):
        """One write for all quick ones that have ended in this turn of the loop."""
        self.flushing = False
        self.worker.flush()
        self.start_pending()

    async def send_part(self, call, stream, data):
        worker = self.worker
        while data:
            if stream.credit <= 0:
                worker.flush()
                await stream.wait()
                continue
            part = data[: stream.credit]
            data = data[len(part) :]
            stream.credit -= len(part)
            worker.out.append(frame(CHUNK, call, b"", part))
        worker.flush()

    async def send_stream(self, call, status, block, source, stream):
        worker = self.worker
        body, typed = source
        begun = False
        iterator = body if hasattr(body, "__aiter__") else iterate_sync(body)
        try:
            async for chunk in iterator:
                data = chunk_bytes(chunk)
                if not begun:
                    begun = True
                    worker.out.append(frame(RESULT, call, stream_head(block, typed, chunk), b"", 0, status))
                await self.send_part(call, stream, data)
        finally:
            if hasattr(iterator, "aclose"):
                await iterator.aclose()
        if stream.cancelled:
            return
        worker.end_lines(call)
        if begun:
            worker.out.append(frame(CHUNK, call, flags=END))
        else:
            worker.answer(call, status, block if typed else block + TYPE_TEXT, b"")


async def iterate_sync(iterator):
    try:
        for chunk in iterator:
            yield chunk
            await asyncio.sleep(0)
    finally:
        if hasattr(iterator, "close"):
            iterator.close()


def run_async_handler(function, wants):
    async def run_one(server, item, stream):
        call, flags, meta, body = item
        array, started = marshal.loads(meta), time.monotonic()
        result = function(*(make_event(array, flags, body), Context(array, started))[:wants])
        if hasattr(result, "__await__"):
            result = await result
        status, block, body = encode_answer(result)
        if stream.cancelled:
            return
        if type(body) is bytes:
            ran = time.monotonic() - started
            stream.slow = ran > QUICK_RUN
            server.worker.answer(call, status, block, body, ran)
        else:
            await server.send_stream(call, status, block, body, stream)

    return run_one
