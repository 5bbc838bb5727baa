"""A hub on this machine, and an empty home to pull into."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.zoo.hub_server import FakeHub, point_client_to, serving


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub without models; the client of huggingface_hub is pointed to it."""
    with serving() as hub:
        point_client_to(hub, monkeypatch)
        yield hub


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
