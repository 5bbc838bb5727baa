"""What the server holds while it runs, and how routes reach it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from phosphene.studio.studio import Studio
from phosphene.studio.supervisor import Supervisor
from phosphene.web.guard import Guard
from phosphene.zoo.registry import cards


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server is set up.

    Args:
        share: The studio's folder.
        database: URL; None is the SQLite file in the folder.
        devices: One worker process each; none for a server that only shows.
        home: Where models live.
    """

    share: Path
    home: Path
    database: str | None = None
    devices: tuple[str, ...] = ("cpu",)
    guard: Guard = field(default_factory=Guard)


@dataclass(slots=True)
class House:
    """The studio that is served.

    Args:
        supervisor: None where no worker runs.
        is_closing: Whether streams should end, because the server is about to.
    """

    studio: Studio
    settings: Settings
    supervisor: Supervisor | None = None
    is_closing: Callable[[], bool] = bool

    def model_names(self) -> list[str]:
        """Models that recipes may name."""
        return [card.name for card in cards(self.settings.home)]


def _house(request: Request) -> House:
    house: House = request.app.state.house
    return house


Here = Annotated[House, Depends(_house)]
