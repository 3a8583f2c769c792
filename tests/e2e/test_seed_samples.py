# SPDX-License-Identifier: Apache-2.0
"""The three samples of the product's first document, through the command line and curl as it prints them."""

import base64
import json
import os
import subprocess
import time

from hks_server import write_files

HELLO = """# function.py
def handle(request):
    name = request.get('name', 'World')
    return {
        'statusCode': 200,
        'body': f'Hello, {name}!'
    }
"""

IMAGE = """# process_image.py
import base64
import io
from PIL import Image

def handle(event):
    # Process uploaded image
    image_data = base64.b64decode(event['data'])
    img = Image.open(io.BytesIO(image_data))

    # Resize image
    thumbnail = img.resize((128, 128))

    # Return processed image
    output = io.BytesIO()
    thumbnail.save(output, format='JPEG')

    return {
        'statusCode': 200,
        'body': base64.b64encode(output.getvalue()),
        'headers': {'Content-Type': 'image/jpeg'}
    }
"""

ORDER = """// handle_order.js
module.exports.handle = async (event) => {
  const order = JSON.parse(event.data);

  // Process order
  await validateOrder(order);
  await chargePayment(order);
  await sendConfirmation(order);

  return {
    statusCode: 200,
    body: JSON.stringify({
      orderId: order.id,
      status: "processed",
    }),
  };
};

async function validateOrder(order) { if (!order.id) throw new Error('an order needs an id'); }
async function chargePayment(order) { console.log(`charged ${order.total}`); }
async function sendConfirmation(order) { await new Promise((resolve) => setTimeout(resolve, 1)); }
"""


def curl(*arguments):
    return subprocess.run(["curl", "-sS", *arguments], capture_output=True, timeout=60, check=True).stdout


def test_hello_deploys_with_the_printed_command_and_answers_curl(server, tmp_path):
    write_files(tmp_path, {"function.py": HELLO})
    done = server.cli("function", "deploy", "hello-world", "--runtime", "python3.9", "--handler", "function.handle",
                      "--trigger", "http", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{server.url}/functions/hello-world" in done.stdout
    assert curl(f"{server.url}/functions/hello-world", "-d", '{"name": "Alice"}') == b"Hello, Alice!"
    assert curl(f"{server.url}/functions/hello-world") == b"Hello, World!"


def test_invoke_prints_the_body(server, tmp_path):
    write_files(tmp_path, {"function.py": HELLO})
    assert server.cli("function", "deploy", "data-processor", cwd=tmp_path).returncode == 0
    done = server.cli("function", "invoke", "data-processor", "--data", '{"name": "s3://bucket/data.csv"}')
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Hello, s3://bucket/data.csv!"


def test_image_sample_resizes_a_real_picture_with_pillow_from_requirements(server, tmp_path):
    write_files(tmp_path, {"process_image.py": IMAGE, "requirements.txt": "Pillow\n"})
    done = server.cli("function", "deploy", "process-image", "--runtime", "python3.9", "--handler",
                      "process_image.handle", "--memory", "256Mi", cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    picture = make_png(64, 48)
    # The picture travels as the request's raw bytes, which the event carries as base64 in `data`.
    (tmp_path / "in.png").write_bytes(picture)
    answer = server.call("process-image", method="POST", data=picture, headers={"Content-Type": "image/png"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content[:3] == b"\xff\xd8\xff"
    # And as JSON with a base64 member, which is lifted to event['data'].
    answer = server.call("process-image", method="POST", json={"data": base64.b64encode(picture).decode()})
    assert answer.content[:3] == b"\xff\xd8\xff"


def test_order_sample_runs_on_node_with_its_three_helpers(server, tmp_path):
    write_files(tmp_path, {"handle_order.js": ORDER})
    done = server.cli("function", "deploy", "handle-order", "--runtime", "nodejs18", "--handler",
                      "handle_order.handle", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    out = curl(f"{server.url}/functions/handle-order", "-d", '{"id": "o-1", "total": 12}')
    assert json.loads(out) == {"orderId": "o-1", "status": "processed"}


def test_logs_follow_shows_lines_as_they_come(server, tmp_path):
    write_files(tmp_path, {"function.py": "def handle(event):\n    print('seen', event['path'])\n    return 'ok'\n"})
    assert server.cli("function", "deploy", "follow-me", cwd=tmp_path).returncode == 0
    environment = dict(os.environ, HKS_SERVER=server.url, HKS_DATA_DIR=str(server.data))
    follower = subprocess.Popen([server.binary, "function", "logs", "follow-me", "--follow"], env=environment,
                                stdout=subprocess.PIPE, text=True)
    try:
        assert server.call("follow-me", "/first").text == "ok"
        assert "seen /first" in follower.stdout.readline()
        sent = time.monotonic()
        assert server.call("follow-me", "/second").text == "ok"
        assert "seen /second" in follower.stdout.readline()
        assert time.monotonic() - sent < 0.5
    finally:
        follower.kill()
        follower.wait()


def make_png(width, height):
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"".join(bytes((x * 4 % 256, y * 5 % 256, 90)) for x in range(width))
                    for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
