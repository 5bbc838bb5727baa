"""Films in a folder of their own: stopped, killed, taken up again; nothing is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from phosphene.core.errors import StorageError
from phosphene.studio import reel
from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]
ARGUMENTS = (
    *("animate", "fox", "--model", "tiny-vqgan", "--perceptors", "tiny-judge"),
    *("--num-cutouts", "2", "--iterations", "3", "-n", "4", "--seed", "7", "--video", "gif"),
    *("--keep-frames", "true"),
)
# the command, which kills itself when the third frame is to be kept
PROGRAM = """
import os, signal
from phosphene.cli.app import main
from phosphene.studio.reel import Reel
from tests.studio.fakes import register_judge
register_judge()
keep = Reel.keep
def keep_or_die(self, number, artifact):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    keep(self, number, artifact)
Reel.keep = keep_or_die
main()
"""


def contents(stem: str) -> list[bytes]:
    """The strip, the film and the frames."""
    frames = sorted(Path(f"{stem}-frames").iterdir())
    return [path.read_bytes() for path in (Path(f"{stem}.png"), Path(f"{stem}.gif"), *frames)]


def only_run() -> Path:
    (folder,) = Path("phosphene-runs").iterdir()
    return folder


@pytest.mark.slow
def test_killed_and_taken_up(phosphene: Command, home: Path) -> None:
    assert phosphene(*ARGUMENTS, "-o", "whole.png").code == 0
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, *ARGUMENTS],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder = only_run()
    assert [path.name for path in sorted(folder.glob("frames/*"))] == ["000000.png", "000001.png"]
    said = phosphene("animate", "--resume", str(folder), "-o", "again.png")
    assert said.code == 0, said.err
    assert contents("again") == contents("whole")
    assert not Path("phosphene-runs").exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, StorageError("the disk is full")])
def test_stopped_it_says_how_to_go_on(
    phosphene: Command, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    keep = reel.Reel.keep

    def stopping(self: reel.Reel, number: int, artifact: object) -> None:
        if number == 2:
            raise stop
        keep(self, number, artifact)  # type: ignore[arg-type]

    monkeypatch.setattr(reel.Reel, "keep", stopping)
    said = phosphene(*ARGUMENTS)
    assert said.code == (130 if stop is KeyboardInterrupt else 1)
    assert f"to go on: phosphene animate --resume {only_run()}" in said.err


def test_nothing_is_left_of_a_film_that_could_not_begin(phosphene: Command) -> None:
    said = phosphene("animate", "fox", "--model", "tiny-judge")
    assert said.code != 0
    assert not Path("phosphene-runs").exists()


def test_a_run_of_another_kind(phosphene: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reel.Reel, "keep", lambda self, number, artifact: 1 / 0)
    assert phosphene(*ARGUMENTS).code == 1
    folder = only_run()
    said = phosphene("imagine", "--resume", str(folder))
    assert said.code == 2
    assert "is a run of animate; `phosphene animate` resumes it" in said.err
