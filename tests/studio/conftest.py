"""The tiny models of `fakes.py`, made once; a studio for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from phosphene.studio.studio import Studio
from phosphene.zoo import Zoo
from tests.studio.fakes import make_zoo
from tests.studio.illustrators import add_illustrators
from tests.studio.studios import Clock, studio_in


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_zoo(tmp_path_factory.mktemp("home")).home
    add_illustrators(made)
    return made


@pytest.fixture(scope="session")
def zoo(home: Path) -> Zoo:
    return Zoo(home)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def studio(tmp_path: Path, clock: Clock) -> Iterator[Studio]:
    made = studio_in(tmp_path / "studio", clock)
    yield made
    made.close()
