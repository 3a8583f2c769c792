# SPDX-License-Identifier: Apache-2.0
"""Part 8 of hks_worker: from LOAD to a handler that runs, and its end."""

import _imp
import atexit
import builtins
import importlib
import inspect
import json
import logging
import marshal
import os
import random
import select
import signal
import socket
import sys
import time
import types

from hks_worker import (
    CALL, DRAIN, END, FAILED, HELLO, LOAD, OBJECT, READY, TEXT, AsgiApplication, AsyncServer, Context, describe, frame,
    run_async_handler, run_wsgi, Stopped, Worker,
)

SPECIAL_FUNCTION = (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS | inspect.CO_GENERATOR | inspect.CO_COROUTINE
                    | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE)


class HandlerNotFound(Exception):
    pass


def names_in(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def purge_modules(folders):
    """What the bundle brings itself must win over what the zygote has imported, as it would in a fresh interpreter."""
    provided = set()
    for folder, names in folders.items():
        for name in names:
            stem, dot, extension = name.partition(".")
            if dot and not name.endswith((".py", ".pyc", ".so")):
                continue
            if not dot and not os.path.exists(os.path.join(folder, name, "__init__.py")):
                continue
            provided.add(stem)
    provided = {top for top in provided if top in sys.modules and top not in sys.builtin_module_names
                and not _imp.is_frozen(top) and top != __name__}
    if not provided:  # the usual case; looking at every module would touch, and copy, a page for each
        return
    for name in list(sys.modules):
        if name.partition(".")[0] in provided:
            del sys.modules[name]


def prepare_interpreter(load):
    environment, zone = load["environment"], os.environ.get("TZ")
    for name in list(os.environ):
        if name not in environment:
            del os.environ[name]
    for name, value in environment.items():
        os.environ[name] = value
    if environment.get("TZ") != zone:
        time.tzset()
    random.seed()
    code = load["code"]
    os.chdir(code)
    folders = {code: names_in(code)}
    if "/" in load["handler"]:
        folder = os.path.join(code, os.path.dirname(load["handler"]))
        folders[folder] = names_in(folder)
    sys.path[:0] = folders
    sys.argv = [""]
    purge_modules(folders)
    if "_deps" in folders[code]:
        dependencies = os.path.join(code, "_deps")
        sys.path.append(dependencies)  # behind the standard library, as site-packages is
        if any(name.endswith(".pth") for name in names_in(dependencies)):
            import site

            site.addsitedir(dependencies)
    builtins.exit = builtins.quit = sys.exit  # what `site` would bring
    Context.function_name, Context.function_version = load["function"], str(load["version"])
    Context.workspace, Context.memory_limit_in_mb = load["workspace"], load["memory_mb"]


def find_handler(load):
    """(name, object) of the handler that was named, or of the first of the usual ones."""
    named = load["handler"]
    if named:
        module_name, dot, function = named.replace("/", ".").rpartition(".")
        if not dot or not module_name.strip("."):
            raise HandlerNotFound(f"The handler {named!r} names no function. Write FILE.FUNCTION, main.handle for example.")
        module_name = module_name.strip(".")
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not (module_name + ".").startswith(error.name + "."):
                raise
            raise HandlerNotFound(f"There is no {module_name.replace('.', '/')}.py for the handler {named!r}. "
                                  "Name a file of the bundle.") from None
        if not callable(getattr(module, function, None)):
            there = ", ".join(name for name, value in vars(module).items()
                              if inspect.isfunction(value) and value.__module__ == module.__name__) or "none"
            raise HandlerNotFound(f"{module_name} has no function {function!r}. Functions there: {there}.")
        return named, getattr(module, function)
    for stem in load["files"]:
        base = os.path.join(load["code"], stem)
        if not os.path.exists(base + ".py") and not os.path.exists(os.path.join(base, "__init__.py")):
            continue
        module = importlib.import_module(stem)
        for function in load["functions"]:
            if callable(getattr(module, function, None)):
                return f"{stem}.{function}", getattr(module, function)
    raise HandlerNotFound("No handler was found: none of the files " + ", ".join(name + ".py" for name in load["files"]) +
                          " has one of the functions " + ", ".join(load["functions"]) + ". Name it: FILE.FUNCTION.")


def positional(function):
    """Names of the positional parameters, or None when they are not known; *args counts as many."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    names = [each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return names + ["*", "*"] if any(each.kind == each.VAR_POSITIONAL for each in parameters) else names


def classify(handler):
    """(kind, number of parameters that it is given)."""
    if type(handler) is types.FunctionType and not handler.__dict__:
        code = handler.__code__
        if not code.co_kwonlyargcount and not code.co_flags & SPECIAL_FUNCTION and code.co_argcount in (1, 2):
            if "start_response" not in code.co_varnames[: code.co_argcount]:
                return "sync", code.co_argcount  # what most handlers are
    target = handler
    while hasattr(target, "func") and hasattr(target, "keywords"):  # functools.partial
        target = target.func
    if not inspect.isroutine(target) and not inspect.isclass(target):
        target = type(target).__call__
    names = positional(handler)
    if inspect.iscoroutinefunction(target) and names is not None and len(names) == 3 and "*" not in names:
        return "asgi", 3
    if hasattr(handler, "wsgi_app") or names is not None and len(names) >= 2 and "start_response" in names[:2]:
        return "wsgi", 3
    wants = 1 if names is None else min(len(names), 2)
    if names is not None and "*" not in names:
        try:
            inspect.signature(handler).bind(*range(wants))
        except TypeError:
            raise HandlerNotFound(f"The handler takes the parameters {', '.join(names)}. "
                                  "It is called with (event) or (event, context).") from None
    if inspect.isasyncgenfunction(target):
        return "async generator", wants
    if inspect.iscoroutinefunction(target):
        return "async", wants
    return "generator" if inspect.isgeneratorfunction(target) else "sync", wants


def install_logging(worker):
    logging.root.handlers[:] = [worker.log_handler]
    logging.root.setLevel(logging.INFO)


def install_streams(worker):
    sys.stdout = sys.__stdout__ = worker.stdout
    sys.stderr = sys.__stderr__ = worker.stderr


def serve(worker):
    """Loads the function and runs it until the server says DRAIN."""
    load = worker.load
    count = load["concurrency"]
    server = application = None
    try:
        prepare_interpreter(load)
        name, handler = find_handler(load)
        kind, wants = classify(handler)
        if kind == "asgi":
            application = AsgiApplication(handler)
            server = AsyncServer(worker, application.run_one, count)
            server.loop.run_until_complete(application.start())
        elif kind.startswith("async"):
            server = AsyncServer(worker, run_async_handler(handler, wants), count)
        elif kind == "wsgi":
            handler = run_wsgi(handler, count > 1)
    except BaseException as error:
        worker.end_lines(0)
        worker.out.append(frame(FAILED, meta=describe(error)))
        worker.flush()
        raise SystemExit(1) from None
    worker.end_lines(0)
    ready = {"handler": name, "kind": kind, "concurrent": server is not None or count > 1}
    worker.out.append(frame(READY, meta=json.dumps(ready).encode()))
    worker.flush()
    if server is not None:
        server.serve()
        if application is not None:
            server.loop.run_until_complete(application.stop())
    elif count > 1:
        worker.serve_threads(handler, wants, count)
    else:
        worker.serve_serial(handler, wants)


HELLO_FRAME = frame(HELLO, meta=json.dumps({
    "language": "python", "version": "{}.{}.{}".format(*sys.version_info[:3]), "encoding": "marshal"}).encode())


def await_load(worker):
    worker.waiting = True
    while worker.load is None:
        worker.read()
    worker.waiting = False


def make_worker():
    worker = Worker()
    install_logging(worker)
    return worker


def run(connection_fd=3, page_fd=4, worker=None, before=None, bind=None):
    """A zygote gives the worker that it has made, what to do while there is no LOAD yet, and what enters the rest of
    the sandbox once LOAD has said for which version; nothing of a user runs before that."""
    worker = worker or make_worker()
    worker.connect(connection_fd, page_fd)
    worker.socket.sendall(HELLO_FRAME)
    signal.signal(signal.SIGTERM, worker.on_sigterm)
    try:
        if before and not select.select([worker.socket], [], [], 0)[0]:
            before()
        await_load(worker)
        if bind:
            bind(worker.load)
        install_streams(worker)
        serve(worker)
    except Stopped:
        pass
    finally:
        atexit._run_exitfuncs()
        worker.end_lines(0)
        worker.flush()


REHEARSED_LOAD = {
    "handler": "", "files": ["function"], "functions": ["handle"], "code": "", "function": "", "version": 1,
    "workspace": "", "memory_mb": 1, "concurrency": 1, "timeout_ms": 1, "environment": {}, "smoke": False,
}
REHEARSED_EVENT = ("GET", "/", {"host": "", "accept": ""}, None, None, None, None, "/", "", "HTTP/1.1", None, "", 1, 1, "",
                   "", "http", "")


def rehearse(code):
    """Does once, on nothing and in an empty folder `code`, all that lies between HELLO and a first answer. In the zygote that makes the interpreter
    adapt its code; in a forked worker it makes the pages that this writes to its own before a call waits for them."""
    ours, theirs = socket.socketpair()
    page = os.memfd_create("hks_rehearsal_page")
    os.truncate(page, 4096)
    worker = Worker()
    worker.connect(ours.detach(), page)
    load = dict(REHEARSED_LOAD, code=code, environment=dict(os.environ))
    worker.socket.sendall(HELLO_FRAME)
    theirs.sendall(frame(LOAD, meta=json.dumps(load).encode()))
    await_load(worker)
    kept = sys.path[:], sys.argv, os.getcwd(), sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
    install_streams(worker)
    prepare_interpreter(load)
    importlib.import_module("keyword")
    del sys.modules["keyword"]
    kind, wants = classify(rehearsed)
    worker.out.append(frame(READY, meta=json.dumps({"handler": "", "kind": kind, "concurrent": False}).encode()))
    worker.flush()
    theirs.sendall(frame(CALL, 1, marshal.dumps(REHEARSED_EVENT), b"{}", END | TEXT | OBJECT) + frame(DRAIN))
    worker.serve_serial(rehearsed, wants)
    worker.flush()
    theirs.close()
    worker.socket.close()
    worker.page = None
    sys.path[:], sys.argv, folder, sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = kept
    os.chdir(folder)
    finder = sys.path_importer_cache.get(code)
    if finder is not None:
        finder.invalidate_caches()  # another folder will be mounted there
    else:
        sys.path_importer_cache.pop(code, None)


def rehearsed(event):
    return {"statusCode": 200, "body": "rehearsed"}
