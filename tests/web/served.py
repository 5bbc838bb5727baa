"""A server without workers, called in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from phosphene.studio.studio import Studio
from phosphene.web.app import create_app
from phosphene.web.guard import Guard
from phosphene.web.house import Settings

BASE = "http://127.0.0.1:8420"
FOX = {"kind": "imagine", "prompt": "fox", "seed": 7}


@contextmanager
def served(folder: Path, guard: Guard | None = None, **settings: Any) -> Iterator[TestClient]:
    """A client of a server whose studio is in a folder; no worker runs."""
    given = Settings(folder, folder / "home", devices=(), guard=guard or Guard(), **settings)
    with TestClient(create_app(given), base_url=BASE, raise_server_exceptions=False) as client:
        yield client


def studio_of(client: TestClient) -> Studio:
    """The studio behind a client."""
    studio: Studio = client.app.state.house.studio
    return studio


def error_of(response: Any) -> dict[str, Any]:
    """The error of a response, which has the form that all errors have."""
    assert set(response.json()) == {"error"}, response.text
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "\n" not in error["message"]
    return error
