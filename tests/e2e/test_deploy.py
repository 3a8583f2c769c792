# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import io
import json
import tarfile
import threading
import time
import zipfile

from hks_server import wait_until, write_files

OK = "def handle(event):\n    return {}\n"


def answer(value):
    return f"def handle(event):\n    return {value!r}\n"


def test_a_function_without_dependencies_is_live_in_under_a_second(server, tmp_path, name):
    write_files(tmp_path, {"function.py": answer("hi")})
    best = 10
    for _ in range(3):
        begin = time.monotonic()
        done = server.cli("function", "deploy", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert server.call(name).text == "hi"
        best = min(best, time.monotonic() - begin)
    assert best < 1.0


def test_the_runtime_and_the_handler_are_found_and_named(server, tmp_path, name):
    write_files(tmp_path, {"app_code/x.py": "", "main.py": "def handler(event):\n    return 'from main.handler'\n"})
    done = server.cli("function", "deploy", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "main.handler" in done.stdout + done.stderr
    assert server.call(name).text == "from main.handler"


def test_a_missing_module_fails_the_deploy_with_its_traceback(server, tmp_path, name):
    write_files(tmp_path, {"function.py": "import nosuchmodule\n" + OK})
    done = server.cli("function", "deploy", name, cwd=tmp_path)
    assert done.returncode == 1
    assert "BUILD_FAILED" in done.stderr
    assert "No module named 'nosuchmodule'" in done.stderr
    assert 'function.py", line 1' in done.stderr
    assert server.call(name).status_code == 404


def test_a_missing_handler_names_the_handler(server, tmp_path, name):
    write_files(tmp_path, {"function.py": OK})
    done = server.cli("function", "deploy", name, "--handler", "function.nope", cwd=tmp_path)
    assert done.returncode == 1
    assert "nope" in done.stderr and "BUILD_FAILED" in done.stderr


def test_a_syntax_error_shows_the_line(server, tmp_path, name):
    write_files(tmp_path, {"function.py": "def handle(event)\n    return 1\n"})
    done = server.cli("function", "deploy", name, cwd=tmp_path)
    assert done.returncode == 1
    assert "SyntaxError" in done.stderr


def test_a_node_syntax_error_shows_the_line(server, tmp_path, name):
    write_files(tmp_path, {"index.js": "exports.handle = async (event => 1\n"})
    done = server.cli("function", "deploy", name, cwd=tmp_path)
    assert done.returncode == 1
    assert "SyntaxError" in done.stderr


def test_a_failed_deploy_leaves_the_old_version_answering(server, name):
    server.deploy_source(name, answer("one"))
    server.deploy_source(name, "import nosuchmodule\n", expect="failed")
    assert server.call(name).text == "one"
    assert server.api("GET", f"/functions/{name}").json()["status"] == "ready"


def test_calls_in_flight_finish_on_the_old_version(server, name):
    server.deploy_source(name, "import time\ndef handle(event):\n    time.sleep(1)\n    return 'old'\n")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pending = pool.submit(server.call, name)
        time.sleep(0.4)
        server.deploy_source(name, answer("new"))
        assert server.session.get(f"{server.url}/functions/{name}").text == "new"
        assert pending.result().text == "old"


def test_no_call_fails_while_versions_are_switched_under_load(server, name):
    server.deploy_source(name, answer("v"))
    stop = threading.Event()
    codes = []

    def load():
        import requests
        session = requests.Session()
        while not stop.is_set():
            codes.append(session.get(f"{server.url}/functions/{name}", timeout=30).status_code)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(5):
        server.deploy_source(name, answer(f"v{number}"))
    stop.set()
    for thread in threads:
        thread.join()
    assert len(codes) > 50 and set(codes) == {200}


def test_rollback_and_activate_switch_at_once(server, tmp_path, name):
    for text in ("one", "two", "three"):
        server.deploy_source(name, answer(text))
    assert server.call(name).text == "three"
    done = server.cli("function", "rollback", name)
    assert done.returncode == 0, done.stderr
    assert server.call(name).text == "two"
    assert server.cli("function", "rollback", name, "--to", "1").returncode == 0
    assert server.call(name).text == "one"
    server.api("PUT", f"/functions/{name}/versions/3/active", expect=200)
    assert server.call(name).text == "three"
    versions = json.loads(server.cli("function", "versions", name, "-o", "json").stdout)
    assert [v["version"] for v in versions] == [3, 2, 1]
    assert server.api("POST", f"/functions/{name}/rollback", json={"target_version": 9}).status_code == 404


def test_one_version_can_be_called_by_its_number(server, name):
    server.deploy_source(name, answer("one"))
    server.deploy_source(name, answer("two"))
    assert server.call(f"{name}@1").text == "one"
    assert server.call(f"{name}@2").headers["x-hks-version"] == "2"
    assert server.call(f"{name}@7").status_code == 404


def test_no_traffic_builds_without_switching(server, tmp_path, name):
    server.deploy_source(name, answer("old"))
    write_files(tmp_path, {"function.py": answer("new")})
    done = server.cli("function", "deploy", name, "--no-traffic", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert server.call(name).text == "old"
    assert server.call(f"{name}@2").text == "new"


def test_settings_that_no_flag_names_are_kept(server, tmp_path, name):
    write_files(tmp_path, {"function.py": "import os\ndef handle(e):\n    return os.environ['A'] + os.environ.get('B', '-')\n"})
    assert server.cli("function", "deploy", name, "--env", "A=1", "--timeout", "7s", cwd=tmp_path).returncode == 0
    assert server.cli("function", "deploy", name, "--env", "B=2", cwd=tmp_path).returncode == 0
    spec = server.api("GET", f"/functions/{name}").json()["spec"]
    assert spec["resources"]["timeout"] == "7s"
    assert server.call(name).text == "12"


def test_a_manifest_is_the_whole(server, tmp_path, name):
    write_files(tmp_path, {
        "src/main.py": "import os\ndef handler(event, context):\n    return os.environ['MODE'] + context.function_name\n",
        "function.yaml": f"""apiVersion: hks.io/v1
kind: Function
metadata: {{name: {name}, labels: {{team: a}}}}
spec:
  source: {{path: ./src}}
  runtime: {{name: python, version: "3.11"}}
  handler: main.handler
  trigger: {{type: http, path: /{name}/own, methods: [GET]}}
  resources: {{memory: 64Mi, timeout: 5s}}
  environment: {{variables: {{MODE: fast}}}}
"""})
    done = server.cli("function", "deploy", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert server.session.get(f"{server.url}/{name}/own").text == "fast" + name
    assert server.session.post(f"{server.url}/{name}/own").status_code == 405
    assert server.call(name).status_code == 404
    function = server.api("GET", f"/functions/{name}").json()
    assert function["labels"] == {"team": "a"} and function["spec"]["resources"]["memory"] == "64Mi"


def test_a_manifest_error_names_field_and_line(server, tmp_path):
    write_files(tmp_path, {"function.py": OK, "function.yaml": """apiVersion: hks.io/v1
kind: Function
metadata: {name: broken}
spec:
  handler: main.handler
  resources:
    memroy: 128Mi
"""})
    done = server.cli("function", "deploy", cwd=tmp_path)
    assert done.returncode == 1
    assert "memroy" in done.stderr and "line 7" in done.stderr


def test_dry_run_changes_nothing(server, tmp_path, name):
    write_files(tmp_path, {"function.py": OK})
    done = server.cli("function", "deploy", name, "--dry-run", "-o", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["action"] == "create"
    assert server.api("GET", f"/functions/{name}").status_code == 404


def test_ignored_files_stay_at_home(server, tmp_path, name):
    write_files(tmp_path, {
        "function.py": "import os\ndef handle(event):\n    return sorted(f for f in os.listdir('.') if f != '__pycache__')\n",
        ".gitignore": "*.log\n", "debug.log": "x", ".env": "SECRET=1", ".git/config": "x", "keep.txt": "x"})
    assert server.cli("function", "deploy", name, cwd=tmp_path).returncode == 0
    assert server.call(name).json() == [".gitignore", "function.py", "keep.txt"]


def test_a_zip_by_multipart_is_deployed(server, name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("function.py", answer("zipped"))
    created = server.api("POST", "/functions", check=False, expect=201,
                         files={"spec": (None, json.dumps({"name": name, "spec": {"runtime": "python"}}), "application/json"),
                                "archive": ("f.zip", buffer.getvalue(), "application/zip")}).json()
    version = created["version"]["version"] if isinstance(created["version"], dict) else created["version"]
    server.wait_built(name, version)
    assert server.call(name).text == "zipped"


def test_an_archive_that_leaves_its_folder_is_refused(server, name):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("../../evil.py")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    response = server.api("POST", "/functions", check=False,
                          files={"spec": (None, json.dumps({"name": name, "spec": {"runtime": "python"}}), "application/json"),
                                 "archive": ("f.tgz", buffer.getvalue(), "application/gzip")})
    if response.status_code == 201:
        created = response.json()
        version = created["version"]["version"] if isinstance(created["version"], dict) else created["version"]
        assert "evil.py" in server.wait_built(name, version, "failed")["error"]
    else:
        assert response.status_code == 400 and "evil.py" in response.text


def test_python_requirements_are_installed_and_cached(server, tmp_path, name):
    write_files(tmp_path, {"function.py": "import six\ndef handle(event):\n    return six.__version__\n",
                           "requirements.txt": "six==1.16.0\n"})
    done = server.cli("function", "deploy", name, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    assert server.call(name).text == "1.16.0"
    begin = time.monotonic()
    write_files(tmp_path, {"function.py": "import six\ndef handle(event):\n    return 'again ' + six.__version__\n"})
    assert server.cli("function", "deploy", name, cwd=tmp_path).returncode == 0
    assert time.monotonic() - begin < 2.5
    assert server.call(name).text == "again 1.16.0"


def test_a_requirement_that_does_not_exist_fails_with_pips_words(server, tmp_path, name):
    write_files(tmp_path, {"function.py": OK, "requirements.txt": "/nonexistent/package.whl\n"})
    done = server.cli("function", "deploy", name, cwd=tmp_path, timeout=300)
    assert done.returncode == 1
    assert "BUILD_FAILED" in done.stderr and "nonexistent" in done.stderr


def test_node_dependencies_are_installed(server, tmp_path, name):
    write_files(tmp_path, {"index.js": "const n = require('is-number');\nexports.handle = async () => String(n(5));\n",
                           "package.json": json.dumps({"name": "x", "version": "1.0.0", "dependencies": {"is-number": "7.0.0"}})})
    done = server.cli("function", "deploy", name, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    assert server.call(name).text == "true"


def test_the_same_source_has_the_same_digest(server, name):
    server.deploy_source(name, answer("x"))
    server.deploy_source(name, answer("x"), environment={"variables": {"A": "1"}})
    items = server.api("GET", f"/functions/{name}/versions").json()["items"]
    assert items[0]["digest"] == items[1]["digest"]


def test_two_deploys_at_once_end_with_the_newer_one(server, tmp_path, name):
    server.deploy_source(name, answer("zero"))
    folders = []
    for number in (1, 2, 3):
        folders.append(write_files(tmp_path / str(number), {"function.py": answer(f"n{number}")}))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda f: server.cli("function", "deploy", name, cwd=f), folders))
    assert all(d.returncode == 0 for d in done), [d.stderr for d in done]
    newest = server.api("GET", f"/functions/{name}/versions").json()["items"][0]["version"]
    assert newest == 4
    assert server.call(name).headers["x-hks-version"] == "4"


def test_delete_removes_the_function_and_its_processes(server, name):
    server.deploy_source(name, "import os\ndef handle(event):\n    return str(os.getpid())\n")
    assert server.call(name).status_code == 200
    assert server.instances(name) == 1
    server.delete(name)
    assert server.call(name).status_code == 404
    wait_until(lambda: server.instances(name) == 0, 15)
