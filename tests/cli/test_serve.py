"""`phosphene serve`: which addresses need a token; and the real thing, started and stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from phosphene.cli.serve import guard_of
from phosphene.core.errors import MissingTool, RecipeError
from phosphene.web.guard import Guard
from phosphene.web.house import Settings
from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]
PROGRAM = "from phosphene.cli.app import main\nif __name__ == '__main__': main()"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "studio.example"])
def test_another_address_needs_a_token(phosphene: Command, host: str) -> None:
    said = phosphene("serve", "--host", host)
    assert said.code == 2
    assert "lets other machines in: give a --token" in said.err
    assert said.err.count("\n") == 1
    assert not Path("phosphene-studio").exists()


def test_the_rules_for_an_address() -> None:
    assert guard_of("127.0.0.1", None) == Guard(None, frozenset({"127.0.0.1"}))
    assert guard_of("::1", None).token is None
    assert guard_of("0.0.0.0", None, no_token=True).any_address
    named = guard_of("0.0.0.0", "long enough", allow_host=["Studio.Example"])
    assert named == Guard("long enough", frozenset({"studio.example"}), any_address=True)
    lent = guard_of("127.0.0.1", None, allow_origin=["HTTPS://Studio.Example:443"])
    assert lent.origins == {"https://studio.example"}
    for token in ("", "short", "gänseblümchen", "with\nline break"):
        with pytest.raises(RecipeError, match="8 characters"):
            guard_of("127.0.0.1", token)


def test_what_is_not_installed_is_said(phosphene: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phosphene.cli.serve.NEEDED", ("no_such_library",))
    said = phosphene("serve")
    assert said.code == MissingTool.exit_code
    assert "no_such_library not installed; pip install 'phosphene[studio]'" in said.err


def test_a_database_that_is_none_is_said_before_anything_starts(phosphene: Command) -> None:
    said = phosphene("serve", "--database", "nonsense")
    assert (said.code, "no database" in said.err) == (2, True)


def test_a_data_folder_has_to_be_there(phosphene: Command) -> None:
    said = phosphene("serve", "--data-dir", "nowhere")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "--data-dir 'nowhere' is no folder" in said.err


def test_folders_of_checkpoints_have_to_be_there(phosphene: Command, tmp_path: Path) -> None:
    said = phosphene("serve", "--checkpoint-dir", str(tmp_path), "--checkpoint-dir", "nowhere")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "--checkpoint-dir: 'nowhere' is no folder" in said.err


def test_folders_of_checkpoints_are_opened(
    phosphene: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Settings] = []
    monkeypatch.setattr("phosphene.cli.serve._run", lambda settings, *_: opened.append(settings))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    folders = [str(tmp_path / name) for name in ("a", "b")]
    for given in ([], ["--checkpoint-dir", folders[0], "--checkpoint-dir", folders[1]]):
        assert phosphene("serve", *given).code == 0
    assert [s.checkpoints for s in opened] == [(), (tmp_path / "a", tmp_path / "b")]


@pytest.mark.parametrize("origin", ["*", "studio.example", "https://studio.example/app", "null"])
def test_an_origin_is_written_as_browsers_do(phosphene: Command, origin: str) -> None:
    said = phosphene("serve", "--allow-origin", "https://fine.example", "--allow-origin", origin)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert f"--allow-origin '{origin}'" in said.err
    assert not Path("phosphene-studio").exists()


def test_no_device(phosphene: Command) -> None:
    assert phosphene("serve", "--device", ",").code == 2


class Server:
    """A server as a process of its own."""

    def __init__(self, share: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "serve", "--port", "0", "--share-dir", share, *options],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        said = self.process.stderr.readline()
        assert "serving http://127.0.0.1:" in said, said
        self.url = said.split("serving ")[1].split(",")[0]

    def call(self, path: str, recipe: object = None) -> dict:
        """GET, or POST JSON."""
        data = None if recipe is None else json.dumps(recipe).encode()
        request = Request(self.url + path, data, {"content-type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def until(self, job: str, state: str) -> dict:
        for _ in range(1000):
            found = self.call(f"/api/jobs/{job}")
            if found["state"] == state:
                return found
            time.sleep(0.1)
        raise AssertionError(found)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Start servers of one folder; none outlives the test."""
    started: list[Server] = []

    def one() -> Server:
        started.append(Server(tmp_path))
        return started[-1]

    yield one
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
            server.process.communicate()


@pytest.mark.slow
def test_killed_in_the_middle_and_started_again(start: Callable[[], Server]) -> None:
    server = start()
    recipe = {"kind": "sample", "model": "digits-cgan", "count": 400, "seed": 3}
    job = server.call("/api/recipes", recipe)["id"]
    server.until(job, "running")
    server.process.kill()
    server.process.communicate()

    server = start()
    done = server.until(job, "done")
    assert len(set(done["pictures"])) == 400
    assert done["deaths"] == 0
    with urlopen(f"{server.url}/api/gallery/{done['pictures'][0]}/image") as image:
        assert image.read(4) == b"\x89PNG"
    server.process.send_signal(signal.SIGINT)
    _, said = server.process.communicate(timeout=60)
    assert "Traceback" not in said
    assert server.process.returncode in (0, 130, -signal.SIGINT)
