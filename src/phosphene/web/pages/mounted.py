"""Pages come into the app: NiceGUI is mounted below the API, and reached by its own paths alone.

NiceGUI has one app in a process; here it is prepared once, however many apps of ours there are.
Which of them a request came through, a page learns from the request (`frame.house_of`).
"""

import functools
import importlib
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from nicegui import app as nicegui_app
from nicegui import ui
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from phosphene.web.pages.frame import HOUSE
from phosphene.web.pages.places import PLACES

OWN_PATHS = ("/_nicegui/", "/_nicegui_ws/")
ICON = "/favicon.ico"
MARK = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
    "<rect width='32' height='32' rx='9' fill='#14121b'/>"
    "<circle cx='16' cy='16' r='9' fill='none' stroke='#7c5cff' stroke-width='3'/>"
    "<circle cx='16' cy='16' r='3.6' fill='#3ee0b0'/></svg>"
)
# a page's scripts and styles stand in it; nothing is ever asked of another host
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self'; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class Pages:
    """NiceGUI as an app below ours: it answers for pages, and for what they are made of.

    Args:
        parent: The app whose studio the pages show.
    """

    def __init__(self, parent: FastAPI) -> None:
        self.parent, self.inner = parent, prepared()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]

        async def with_policy(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start" and path in PLACES:
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY.encode()),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        house = getattr(self.parent.state, "house", None)
        await self.inner({**scope, HOUSE: house}, receive, with_policy)


class Below(Mount):
    """Where pages are: at their own addresses, so that all others answer as if there were none."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for a page, or for what pages are made of."""
        path = scope.get("path", "")
        if path in PLACES or path == ICON or path.startswith(OWN_PATHS):
            return super().matches(scope)
        return Match.NONE, {}


def mount(app: FastAPI) -> None:
    """Add the pages to an app, after all other routes."""
    app.router.routes.append(Below("/", Pages(app)))


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    """What NiceGUI needs while pages are served."""
    async with nicegui_app.router.lifespan_context(nicegui_app):
        yield


@functools.cache
def prepared() -> ASGIApp:
    """NiceGUI's app with all pages in it, set up once."""
    for module in dict.fromkeys(place.module for place in PLACES.values()):
        importlib.import_module(module)
    ui.run_with(
        FastAPI(),
        title="phosphene",
        favicon=MARK,
        dark=None,
        language="en-US",
        tailwind=False,
        binding_refresh_interval=None,  # nothing is bound by looking again and again
        reconnect_timeout=20.0,
        show_welcome_message=False,
    )
    # long polling would send bodies that the guard refuses
    nicegui_app.config.socket_io_js_transports = ["websocket"]
    return nicegui_app
