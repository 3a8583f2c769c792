# SPDX-License-Identifier: Apache-2.0
"""Part 4 of hks_worker: what a function prints or logs becomes LOG frames of the call that is running."""

import contextvars
import io
import logging
import threading

from hks_worker import LOG, STDOUT, frame

LONGEST_LINE = 64 * 1024

call_id = contextvars.ContextVar("hks_call", default=0)  # in threads and tasks; what is printed belongs to it


class LogStream(io.TextIOBase):
    """sys.stdout or sys.stderr of the function: whole lines become LOG frames of the call that is running."""

    encoding, errors, newlines, line_buffering = "utf-8", "replace", None, True

    def __init__(self, worker, flag):
        self.worker, self.flag = worker, flag
        self.partial = {}  # call: text without its end of line; "" = the line was too long and is out already
        self.lock = threading.RLock()
        self.buffer = LogBytes(self)
        self.name = "<stdout>" if flag == STDOUT else "<stderr>"

    def fileno(self):
        return self.flag

    def writable(self):
        return True

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        call = call_id.get() or self.worker.current
        with self.lock:
            before = self.partial.pop(call, None)
            waiting = before + text if before else text
            if "\n" in waiting:
                *lines, waiting = waiting.split("\n")
                if before == "" and not lines[0]:
                    del lines[0]
                for line in lines:
                    self.emit(call, line)
                self.worker.logged()
            if len(waiting) > LONGEST_LINE:
                self.emit(call, waiting)
                self.partial[call] = ""
            elif waiting:
                self.partial[call] = waiting
        return len(text)

    def emit(self, call, line):
        line = line[:-1] if line.endswith("\r") else line
        level = 1 if self.flag == STDOUT else 2
        self.worker.out.append(frame(LOG, call, b"", line.encode("utf-8", "replace"), self.flag, level))

    def finish(self, call):
        """The call is over: what it printed last may lack its end of line."""
        with self.lock:
            waiting = self.partial.pop(call, "")
            if waiting:
                self.emit(call, waiting)


class LogBytes(io.RawIOBase):
    """sys.stdout.buffer."""

    def __init__(self, text):
        self.text = text

    def fileno(self):
        return self.text.fileno()

    def writable(self):
        return True

    def write(self, data):
        self.text.write(bytes(data).decode("utf-8", "replace"))
        return len(data)


class LogHandler(logging.Handler):
    def __init__(self, worker):
        super().__init__()
        self.worker = worker

    def emit(self, record):
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
            return
        level = 0 if record.levelno < 20 else 1 if record.levelno < 30 else 2 if record.levelno < 40 else 3
        call = call_id.get() or self.worker.current
        self.worker.out.append(frame(LOG, call, b"", text.encode("utf-8", "replace"), 0, level))
        self.worker.logged()
