"""One record a request: method, route, status, how long it took, who asked.

A route is a template, `/prompt/{text}`: the path itself may be words of somebody. What matches none
is logged without, since a mistyped address may be the same words.
"""

import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from re import Pattern
from typing import Any, NamedTuple

from phosphene.web.guard import Receive, Scope, Send
from phosphene.web.logs import fields

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
WEBSOCKET, OTHER = "WEBSOCKET", "OTHER"
FAULT = 500
SWITCHED, REFUSED = 101, 403  # what a websocket's answer is in HTTP

log = logging.getLogger("phosphene.web.access")


class Template(NamedTuple):
    """What the paths of a route have in common."""

    pattern: Pattern[str]
    text: str


def templates_of(routes: Iterable[Any]) -> list[Template]:
    """The templates of routes, in their order; others have none."""
    return [Template(r.path_regex, r.path_format) for r in routes if hasattr(r, "path_format")]


def client_address(scope: Scope) -> str | None:
    """The address of who asks; None if that is none, since a proxy may pass on any text."""
    host = (scope.get("client") or (None,))[0]
    try:
        return str(ipaddress.ip_address(host or ""))
    except ValueError:
        return None


class AccessMiddleware:
    """Logs each request when its answer is complete.

    Args:
        templates: Of all routes; it may be filled later.
        places: Paths that are logged as they are.
        below: Beginnings of paths of which the rest is not logged.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        templates: Sequence[Template],
        places: Iterable[str] = (),
        below: Sequence[str] = (),
    ) -> None:
        self.app, self.templates = app, templates
        self.places, self.below = frozenset(places), below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not log.isEnabledFor(logging.INFO):
            await self.app(scope, receive, send)
            return
        begun, status = time.monotonic(), FAULT

        async def watched(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = SWITCHED
            elif message["type"] == "websocket.close" and status == FAULT:
                status = REFUSED
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            took = round(1000 * (time.monotonic() - begun), 1)
            said = fields(
                method=method_of(scope),
                route=self.route_of(scope["path"]),
                status=status,
                milliseconds=took,
                client=client_address(scope),
            )
            log.log(logging.INFO if status < FAULT else logging.ERROR, "request", extra=said)

    def route_of(self, path: str) -> str | None:
        """The template of a path; None if nothing is there."""
        if path in self.places:
            return path
        for start in self.below:
            if path.startswith(start):
                return f"{start}{{path}}"
        return next((t.text for t in self.templates if t.pattern.match(path)), None)


def method_of(scope: Scope) -> str:
    """The method of a request; clients may make up others than there are."""
    if scope["type"] == "websocket":
        return WEBSOCKET
    return str(scope["method"]) if scope["method"] in METHODS else OTHER
