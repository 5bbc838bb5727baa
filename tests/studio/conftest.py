"""The tiny models of `fakes.py`, made once."""

from pathlib import Path

import pytest

from phosphene.zoo import Zoo
from tests.studio.fakes import make_zoo


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_zoo(tmp_path_factory.mktemp("home")).home


@pytest.fixture(scope="session")
def zoo(home: Path) -> Zoo:
    return Zoo(home)
