# SPDX-License-Identifier: Apache-2.0
"""The servers that hks is measured beside, each started on loopback, pinned to the server core, stopped by its id."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER_CORE = "0"
VENV = pathlib.Path(sys.prefix) / "bin"
NODE_MODULES = ROOT / "build" / "bench-node"

ASGI = """
async def app(scope, receive, send):
    await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-type', b'text/plain')]})
    await send({'type': 'http.response.body', 'body': b'Hello, World!'})
"""
FF_PYTHON = "def hello(request):\n    return 'Hello, World!'\n"
FF_NODE = "exports.hello = (request, response) => { response.send('Hello, World!'); };\n"
BARE_NODE = """
require('http').createServer((request, response) => {
  response.setHeader('content-type', 'text/plain');
  response.end('Hello, World!');
}).listen(%d, '127.0.0.1');
"""
NGINX = """
daemon off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; client_body_buffer_size 256k;
  proxy_buffers 8 64k; proxy_buffer_size 64k;
  upstream inside {{ server unix:{dir}/inside.sock; keepalive 128; }}
  upstream uvicorn {{ server unix:{dir}/uvicorn.sock; keepalive 128; }}
  server {{ listen unix:{dir}/inside.sock; default_type text/plain; root {dir};
    location = /large {{ error_page 405 =200 /large; try_files /large.txt =404; }}
    location / {{ return 200 'Hello, World!'; }} }}
  server {{ listen 127.0.0.1:{port};
    location /uvicorn {{ proxy_pass http://uvicorn; proxy_http_version 1.1; proxy_set_header Connection ''; }}
    location / {{ proxy_pass http://inside; proxy_http_version 1.1; proxy_set_header Connection ''; }} }}
}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process):
    for _ in range(400):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args} does not listen")


class Peers:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hks-bench-"))
        os.chmod(self.folder, 0o755)
        self.processes = []

    def start(self, *command, **arguments):
        process = subprocess.Popen(["taskset", "-c", SERVER_CORE, *map(str, command)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, **arguments)
        self.processes.append(process)
        return process

    def write(self, name, text):
        file = self.folder / name
        file.write_text(text)
        return file

    def uvicorn_socket(self):
        self.write("asgi.py", ASGI)
        process = self.start(VENV / "uvicorn", "--app-dir", self.folder, "--uds", self.folder / "uvicorn.sock",
                             "--no-access-log", "--log-level", "warning", "asgi:app")
        while not (self.folder / "uvicorn.sock").exists():
            assert process.poll() is None
            time.sleep(0.05)
        os.chmod(self.folder / "uvicorn.sock", 0o777)

    def uvicorn(self):
        self.write("asgi.py", ASGI)
        port = free_port()
        wait_port(port, self.start(VENV / "uvicorn", "--app-dir", self.folder, "--port", port, "--no-access-log",
                                   "--log-level", "warning", "asgi:app"))
        return f"http://127.0.0.1:{port}/"

    def nginx(self):
        """Proxies to itself at /, to uvicorn at /uvicorn, and 64 KiB at /large."""
        port = free_port()
        self.write("large.txt", "x" * 65536)
        conf = self.write("nginx.conf", "user root;\n" * (os.geteuid() == 0) + NGINX.format(dir=self.folder, port=port))
        wait_port(port, self.start("nginx", "-c", conf, "-p", self.folder))
        return f"http://127.0.0.1:{port}/"

    def functions_framework_python(self):
        port = free_port()
        source = self.write("ff.py", FF_PYTHON)
        wait_port(port, self.start(VENV / "functions-framework", "--source", source, "--target", "hello", "--host",
                                   "127.0.0.1", "--port", port))
        return f"http://127.0.0.1:{port}/"

    def functions_framework_node(self):
        port = free_port()
        source = self.write("ff.js", FF_NODE)
        wait_port(port, self.start("node", NODE_MODULES / "node_modules/@google-cloud/functions-framework/build/src/main.js",
                                   "--source", source, "--target", "hello", "--port", port,
                                   env=dict(os.environ, NODE_ENV="production")))
        return f"http://127.0.0.1:{port}/"

    def bare_node(self):
        port = free_port()
        wait_port(port, self.start("node", self.write("bare.js", BARE_NODE % port)))
        return f"http://127.0.0.1:{port}/"

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        self.processes.clear()
