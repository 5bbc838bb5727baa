"""The command line, called in this process, with the tiny models as its zoo."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from phosphene.cli.app import main
from tests.studio.fakes import make_zoo
from tests.studio.illustrators import add_illustrators

TINY = (
    *("--model", "tiny-vqgan", "--set", "perceptors=tiny-judge", "--set", "num_cutouts=2"),
    *("-i", "3"),
)


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_zoo(tmp_path_factory.mktemp("home")).home
    add_illustrators(made)
    return made


@pytest.fixture
def phosphene(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Call `phosphene ARGUMENTS` in an empty folder."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PHOSPHENE_HOME", str(home))

    def call(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def painter(phosphene: Command) -> Command:
    """Call `phosphene imagine` with the tiny models."""
    return lambda *arguments: phosphene("imagine", *arguments, *TINY)
