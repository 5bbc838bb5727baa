"""Pages of other sites that may use the APIs: those that whoever serves has named, and no others.

A browser asks before it lets a page of another site send more than a form, and after an answer
whether the page may read it (CORS). Both are allowed to the named ones, to the APIs alone, and
without the browser's cookie: a page has to know the token itself.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from phosphene.core.errors import RecipeError
from phosphene.web.failures import Refused
from phosphene.web.guard import HEADERS, Guard, Receive, Scope, Send, is_api

ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://((?:\[[0-9a-f:.]+\])|[a-z0-9_.-]+)(?::(\d{1,5}))?")
PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}  # that browsers leave out
NO_ORIGIN = ("file", "data", "blob", "about")  # their pages send "null", which anybody can
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
ASKED = frozenset(
    ("accept", "authorization", "content-type", "idempotency-key", "if-none-match", "last-event-id")
)
CLIENTS = "x-stainless-"  # what the OpenAI library says of itself
SHOWN = (
    "content-location, etag, location, retry-after, "
    "x-phosphene-painted, x-phosphene-picture, x-phosphene-seed"
)
REMEMBERED_SECONDS = 600
ANY = "*"


def read_origin(text: str) -> str:
    """Read `https://studio.example` or `http://localhost:3000`, as browsers write it.

    Raises:
        RecipeError: it is no origin, or stands for all of them.
    """
    if text.strip() == ANY:
        raise RecipeError("--allow-origin '*' would let in every page there is; name each of them")
    found = ORIGIN.fullmatch(text.strip().lower())
    port = int(found[3]) if found and found[3] else None
    if not found or found[1] in NO_ORIGIN or port == 0 or (port or 0) > 65535:
        raise RecipeError(
            f"--allow-origin {text[:100]!r} should be scheme://host or scheme://host:port "
            "and nothing after it, for example https://studio.example"
        )
    shown = "" if port is None or port == PORTS.get(found[1]) else f":{port}"
    return f"{found[1]}://{found[2]}{shown}"


class OriginMiddleware:
    """Answers the questions of browsers for pages of the named sites; outside all refusals."""

    def __init__(self, app: Callable[..., Awaitable[None]], guard: Guard) -> None:
        self.app, self.guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.guard.origins or not is_api(scope["path"]):
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        origin = headers["origin"] if self.guard.lends(scope["path"], headers) else None
        if origin is not None and self._asks(scope, headers):
            await _permit(send, origin, headers)
            return

        async def marked(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _marked(message["headers"], origin)
            await send(message)

        await self.app(scope, receive, marked)

    def _asks(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        """Whether a browser asks for permission, of the host that this is."""
        if scope["method"] != "OPTIONS" or "access-control-request-method" not in headers:
            return False
        try:
            self.guard.check_host(headers)
        except Refused:
            return False
        return True


def _marked(headers: list[tuple[bytes, bytes]], origin: str | None) -> list[tuple[bytes, bytes]]:
    """Headers of an answer, with what a browser wants to know."""
    varies = [value for name, value in headers if name.lower() == b"vary"]
    kept = [pair for pair in headers if pair[0].lower() != b"vary"]
    kept.append((b"vary", b", ".join([*varies, b"Origin"])))
    if origin is not None:
        kept.append((b"access-control-allow-origin", origin.encode()))
        kept.append((b"access-control-expose-headers", SHOWN.encode()))
    return kept


async def _permit(send: Send, origin: str, headers: Mapping[str, str]) -> None:
    wanted = headers.get("access-control-request-headers", "").lower().split(",")
    names = [name for name in map(str.strip, wanted) if re.fullmatch(rf"{CLIENTS}[a-z-]+", name)]
    said = {
        **HEADERS,
        "access-control-allow-origin": origin,
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": ", ".join([*sorted(ASKED), *names]),
        "access-control-max-age": str(REMEMBERED_SECONDS),
        "vary": "Origin, Access-Control-Request-Headers",
    }
    raw = [(k.encode(), v.encode()) for k, v in said.items()]
    await send({"type": "http.response.start", "status": 204, "headers": raw})
    await send({"type": "http.response.body", "body": b""})
