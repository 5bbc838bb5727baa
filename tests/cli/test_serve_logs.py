"""`phosphene serve --log-format json`: whatever it says on stderr, from start to stop, is JSON."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]
PROGRAM = "from phosphene.cli.app import main\nif __name__ == '__main__': main()"
PROMPT = "zweihundert Schweinswale"


def call(url: str, recipe: object = None) -> dict:
    """GET, or POST JSON; what is refused is answered too."""
    data = None if recipe is None else json.dumps(recipe).encode()
    try:
        # who says to be somebody else is believed by nobody
        headers = {"content-type": "application/json", "x-forwarded-for": "203.0.113.9"}
        with urlopen(Request(url, data, headers), timeout=60) as found:
            return json.load(found)
    except HTTPError as error:
        return json.load(error)


@pytest.mark.slow
def test_every_line_is_json_and_tells_no_prompt(tmp_path: Path) -> None:
    options = ["--port", "0", "--share-dir", str(tmp_path), "--log-format", "json"]
    server = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "serve", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    first = server.stderr.readline()
    try:
        url = json.loads(first)["url"]
        call(f"{url}/prompt/{quote(PROMPT)}?format=json&negative_prompt={quote(PROMPT)}")
        # a model that the registry has and that is no autoencoder: the job fails
        recipe = {"kind": "imagine", "prompt": PROMPT, "model": "digits-cgan", "method": "gan-clip"}
        call(f"{url}/api/recipes", {**recipe, "perceptors": [PROMPT]})
        job = call(f"{url}/api/recipes", {"kind": "sample", "model": "digits-cgan", "seed": 3})
        with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as line:
            line.sendall(f"{PROMPT}\r\n\r\n".encode())
            line.recv(1000)
        for _ in range(1000):
            if call(f"{url}/api/jobs/{job['id']}")["state"] == "done":
                break
            time.sleep(0.1)
        server.send_signal(signal.SIGTERM)
        said = first + server.communicate(timeout=60)[1]
    finally:
        server.kill()
        server.wait()
    assert server.returncode == 0
    entries = [json.loads(line) for line in said.splitlines()]
    events = [entry["event"] for entry in entries]
    assert events[0] == "serving"
    assert {"Application startup complete.", "Invalid HTTP request received."} <= {*events}
    assert events.index("studio open") < events.index("request") < events.index("studio closed")
    states = [(e["kind"], e["state"]) for e in entries if e.get("job") == job["id"]]
    assert states == [("sample", s) for s in ("queued", "running", "done")]
    assert {e["route"] for e in entries if e["event"] == "request"} == {
        *("/prompt/{text}", "/api/recipes", "/api/jobs/{job}"),
    }
    assert {e["client"] for e in entries if e["event"] == "request"} == {"127.0.0.1"}
    assert all(word not in said for word in (*PROMPT.split(), quote(PROMPT)))


def test_another_format_is_refused(phosphene: Command) -> None:
    said = phosphene("serve", "--log-format", "xml")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "'xml'" in said.err
