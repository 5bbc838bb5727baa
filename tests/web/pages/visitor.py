"""Somebody who visits pages without a browser, and a job that is carried out by hand."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from nicegui import ui
from nicegui.functions.clipboard import write
from nicegui.testing import User
from nicegui.testing.user_interaction import UserInteraction
from PIL import Image

from phosphene.studio.job_events import tell
from phosphene.studio.leases import Held
from phosphene.studio.studio import Studio
from phosphene.web.app import create_app
from phosphene.web.guard import Guard
from phosphene.web.house import Settings
from tests.web.served import BASE


class Visitor(User):
    """A visitor who waits for three seconds until something can be seen."""

    async def should_see(self, *args: Any, retries: int = 30, **what: Any) -> None:
        await super().should_see(*args, retries=retries, **what)

    async def until(self, what: Callable[[], object]) -> None:
        """Wait until something is true: clicks are answered a moment later."""
        for _ in range(50):
            if what():
                return
            await asyncio.sleep(0.1)
        raise AssertionError(what)

    def press(self, text: str) -> None:
        """Click the buttons that say something."""
        self.find(kind=ui.button, content=text).click()

    def press_icon(self, icon: str) -> None:
        """Click the first button that is an icon."""
        buttons = sorted(self.find(kind=ui.button).elements, key=lambda button: button.id)
        first = next(button for button in buttons if button.icon == icon and button.visible)
        UserInteraction(self, {first}, None).click()


Visit = Callable[[Visitor, Studio], Awaitable[None]]


def visit(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: Visit,
    guard: Guard | None = None,
    **settings: Any,
) -> None:
    """Let a visitor do something in a studio without workers."""
    monkeypatch.setenv("NICEGUI_USER_SIMULATION", "true")
    asyncio.run(_visit(folder, what, guard, settings))


async def _visit(folder: Path, what: Visit, guard: Guard | None, settings: dict[str, Any]) -> None:
    kept = ui.navigate, ui.notify, ui.download
    try:
        async with visitor(folder, guard, **settings) as (user, studio):
            await what(user, studio)
    finally:
        ui.navigate, ui.notify, ui.download = kept  # the visitor puts its own in their place
        ui.clipboard.write = write


@asynccontextmanager
async def visitor(
    folder: Path, guard: Guard | None, **settings: Any
) -> AsyncIterator[tuple[Visitor, Studio]]:
    given = Settings(folder, folder / "home", devices=(), guard=guard or Guard(), **settings)
    app = create_app(given)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            yield Visitor(client), app.state.house.studio


def preview(colour: str = "red") -> bytes:
    """A small WebP, as steps show them."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(buffer, "WEBP")
    return buffer.getvalue()


def take(studio: Studio) -> Held:
    """Be the worker of the next job."""
    claimed = studio.leases.claim("host:1:test")
    assert claimed is not None
    return claimed[1]


def step(studio: Studio, held: Held, number: int, total: int, shown: bytes | None = None) -> None:
    """Say of a job that a step is made."""
    data: dict[str, Any] = {"step": number, "total": total, "scalars": {"loss": 1.0 / number}}
    with studio.database.writing() as connection:
        studio.leases.hold(connection, held, step=number, total=total)
        tell(connection, held.job, "step", data, studio.database.clock(), shown)


def finish(studio: Studio, held: Held, picture: str) -> None:
    """Say that a job has painted a picture of the gallery, and is done."""
    with studio.database.writing() as connection:
        data = {"artifact": picture, "number": 0, "seed": "7"}
        tell(connection, held.job, "picture", data, studio.database.clock())
    studio.leases.finish(held)
