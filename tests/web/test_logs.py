"""The promise of docs/security.md about logs: whatever is asked for, and however, none tells it."""

import asyncio
import base64
import io
import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest

from phosphene.web.guard import Guard
from phosphene.web.logs import JsonFormatter, Style, TextFormatter, errors_of, fields, set_up
from tests.rules.syntax import SRC
from tests.web.painters import painting
from tests.web.served import served

PROMPT = "zweihundert Schweinswale"
TOKEN = "geheimes Losungswort"
REQUIRED = {"time", "level", "event"}


@pytest.fixture
def written(monkeypatch):
    """What is logged as JSON meanwhile; the loggers are then as they were."""
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in ("phosphene", "uvicorn")]
    before = root.handlers, [logger.level for logger in (root, *ours)]
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    stream = io.StringIO()
    set_up(Style.JSON, stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers = before[0]
    for logger, level in zip((root, *ours), before[1], strict=True):
        logger.setLevel(level)


def lines_of(stream: io.StringIO) -> list[dict]:
    """Each line is a JSON object, at a moment of UTC."""
    entries = [json.loads(line) for line in stream.getvalue().splitlines()]
    for entry in entries:
        assert entry.keys() >= REQUIRED
        assert entry["time"].endswith("Z")
        assert datetime.fromisoformat(entry["time"]).utcoffset() == timedelta(0)
    return entries


def assert_hidden(text: str) -> None:
    for secret in (PROMPT, TOKEN):
        basic = base64.b64encode(f"me:{secret}".encode()).decode()
        for form in (secret, *secret.split(), quote(secret), secret.replace(" ", "+"), basic):
            assert form.lower() not in text.lower(), form


def ask_for_everything(client) -> int:
    """The same words by each API: granted, failed, refused, mistyped; returns how many requests."""
    words, url = {"prompt": PROMPT}, quote(PROMPT)
    fails = {"prompt": f"fail {PROMPT}"}
    calls = [
        ("POST", "/api/recipes", {"kind": "imagine", **words}),
        ("POST", "/api/recipes", {"kind": "imagine", **fails}),
        ("POST", "/api/recipes", {"kind": "imagine", PROMPT: 3}),
        ("POST", "/api/recipes/forecast", {"kind": "imagine", **words}),
        ("GET", f"/api/gallery?q={url}", None),
        ("GET", f"/api/jobs/{url}", None),
        ("POST", "/v1/images/generations", words),
        ("POST", "/v1/images/generations", fails),
        ("POST", "/v1/images/generations", {**words, "size": PROMPT}),
        ("POST", "/sdapi/v1/txt2img", {**words, "negative_prompt": PROMPT}),
        ("POST", "/sdapi/v1/txt2img", {**words, "scripts": PROMPT}),
        ("GET", f"/prompt/{url}?width=32", None),
        ("GET", f"/prompt/{url}?negative_prompt={url}&format=json", None),
        ("GET", f"/prompt/fail%20{url}", None),
        ("GET", f"/prompt/{url}?{url}={url}", None),
        ("GET", f"/prmpt/{url}", None),
        ("GET", f"/imagine?prompt={url}", None),
        ("GET", f"/_nicegui/{url}", None),
        ("GET", f"/login?next={url}", None),
        ("POST", "/login", {"token": PROMPT}),
    ]
    for method, path, body in calls:
        client.request(method, path, json=body, headers={"referer": f"http://x/{url}"})
    return len(calls)


@pytest.mark.slow
def test_no_line_tells_what_was_asked_for(written, tmp_path, monkeypatch):
    monkeypatch.setattr("phosphene.web.streams.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("phosphene.web.job_log.LOOK_SECONDS", 0.01)
    shown = [{"authorization": f"Bearer {TOKEN}"}, {"authorization": basic_of(TOKEN)}]
    shown += [{"cookie": f'phosphene-token="{TOKEN}"'}, {"authorization": f"Bearer {PROMPT}"}, {}]
    asked = 0
    with served(tmp_path / "share", Guard(TOKEN)) as client, painting(client) as painter:
        for headers in shown:
            client.headers = headers
            asked += ask_for_everything(client)
        assert any(PROMPT in recipe.prompt for recipe in painter.recipes)
    entries = lines_of(written)
    requests = [e for e in entries if e["event"] == "request"]
    assert len(requests) == asked
    seen = {(e["route"], e["status"]) for e in requests}
    assert seen >= {
        ("/api/recipes", 202),
        ("/api/recipes", 401),
        ("/v1/images/generations", 200),
        ("/v1/images/generations", 500),
        ("/sdapi/v1/txt2img", 200),
        ("/sdapi/v1/txt2img", 422),
        ("/prompt/{text}", 200),
        ("/prompt/{text}", 400),
        ("/prompt/{text}", 401),
        ("/imagine", 200),
        (None, 404),
        (None, 401),
    }
    states = {(e["kind"], e["state"]) for e in entries if e["event"] == "job"}
    assert states == {("imagine", s) for s in ("queued", "running", "done", "failed")}
    assert_hidden(written.getvalue())


def basic_of(password: str) -> str:
    return "Basic " + base64.b64encode(f"me:{password}".encode()).decode()


def test_a_fault_of_ours_is_told_without_its_words(written, client):
    def fails():
        raise ValueError(PROMPT) from KeyError(PROMPT)

    client.app.state.house.studio.database.ping = fails
    assert client.get("/healthz").status_code == 500
    try:
        fails()
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    entry = lines_of(written)[-1]
    assert (entry["event"], entry["level"]) == ("Exception in ASGI application", "error")
    assert [error["type"] for error in entry["errors"]] == ["ValueError", "KeyError"]
    assert entry["errors"][0]["frames"][-1].startswith("tests/web/test_logs.py:")
    assert entry["errors"][0]["frames"][-1].endswith(" fails")
    assert_hidden(written.getvalue())


def test_other_libraries_are_not_believed(written):
    logging.getLogger("asyncio").error("Task failed: %s", PROMPT)
    logging.getLogger("nicegui").warning(f"no {PROMPT}")
    logging.getLogger("nicegui").exception(ValueError(PROMPT))
    served_by = logging.getLogger("uvicorn.error")
    served_by.info('%s - "WebSocket %s" [accepted]', ("::1", 9), f"/_nicegui?prompt={PROMPT}")
    served_by.info("Started server process [%d]", 12)
    served_by.error(ValueError(PROMPT))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(PROMPT, stacklevel=1)
    thread = threading.Thread(target=lambda: [][PROMPT])
    thread.start()
    thread.join()
    assert [entry["event"] for entry in lines_of(written)] == [
        *["record of a library"] * 3,
        '… - "WebSocket …" [accepted]',
        "Started server process [12]",
        "ValueError",
        "record of a library",
        "thread failed",
    ]
    assert_hidden(written.getvalue())
    assert lines_of(written)[0]["logger"] == "asyncio"
    assert lines_of(written)[0]["at"].startswith("tests/web/test_logs.py:")


def record(**values) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "phosphene.web", "levelno": 20, "levelname": "INFO"})
    made.__dict__ |= {"msg": "studio open", "created": 1.5, **values}
    return made


def test_a_line_of_ours():
    entry = json.loads(JsonFormatter().format(record(**fields(workers=2))))
    assert entry == {
        "time": "1970-01-01T00:00:01.500Z",
        "level": "info",
        "event": "studio open",
        "workers": 2,
    }
    assert "\n" not in JsonFormatter().format(record(**fields(folder="a\nb\u2028")))


def test_a_number_that_is_none_is_left_out():
    wrong = logging.LogRecord("uvicorn", 20, "a.py", 3, "port %d", (PROMPT,), None)
    assert json.loads(JsonFormatter().format(wrong))["event"] == "port %d"


def test_text_is_for_people_and_hides_the_same():
    plain = logging.LogRecord("phosphene.web", 20, "a.py", 3, "studio open %s", (PROMPT,), None)
    assert TextFormatter().format(plain) == "INFO: studio open %s"
    try:
        asyncio.run(fails())
    except RuntimeError as error:
        told = (type(error), error, error.__traceback__)
        failed = logging.LogRecord("uvicorn.error", 40, "a/b/c/d.py", 3, "Exception", (), told)
    assert [e["type"] for e in errors_of(told[1])] == ["RuntimeError"]
    lines = TextFormatter().format(failed).splitlines()
    assert lines[0] == "ERROR: Exception (logger=uvicorn.error, at=b/c/d.py:3)"
    assert lines[-1] == "  RuntimeError"
    assert lines[-2].endswith(" fails")
    assert_hidden("\n".join(lines))


async def fails() -> None:
    try:
        raise ValueError(PROMPT)
    except ValueError:
        raise RuntimeError(PROMPT) from None


PROCESS = """
import logging, os, sys
from phosphene.web.logs import logged
def work(words):
    print(words, file=sys.stderr)
    os.write(2, words.encode())
    logging.getLogger("transformers").warning("too long: %s", words)
    raise OSError(words)
logged(work, "zweihundert Schweinswale")
"""


def test_a_process_of_ours_says_nothing_else():
    ran = subprocess.run(
        [sys.executable, "-c", PROCESS],
        env={**os.environ, "PYTHONPATH": str(SRC.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    library, failure = (json.loads(line) for line in ran.stderr.splitlines())
    assert (library["event"], library["logger"]) == ("record of a library", "transformers")
    assert (failure["event"], failure["errors"][0]["type"]) == ("process failed", "OSError")
    assert ran.returncode == 1
    assert_hidden(ran.stderr)
