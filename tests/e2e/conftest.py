# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from hks_server import Server  # noqa: E402


@pytest.fixture(scope="session")
def shared_server():
    """One server for all tests that do not change the server itself. Each test uses function names of its own."""
    server = Server()
    server.start()
    yield server
    server.close()


@pytest.fixture
def server(shared_server):
    return shared_server


@pytest.fixture
def own_server():
    """A server that a test may kill, restart or fill."""
    server = Server()
    server.start()
    yield server
    server.close()


@pytest.fixture
def name(request):
    """A function name that no other test uses."""
    text = request.node.name.replace("[", "-").replace("]", "").replace("_", "-").lower()
    text = "".join(c for c in text if c.isalnum() or c == "-")[5:60].strip("-")
    return text or "f"
