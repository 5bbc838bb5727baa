"""What every request passes before anything looks at it: who asks, from where, how much.

docs/security.md states the promises. All of it is headers and lengths: no body is read here.
"""

import base64
import binascii
import contextlib
import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException

from phosphene.web.failures import Refused, body, retry_headers

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PAINTING_PATH = "/prompt/"  # to GET it paints: no picture in another site's page may do that
LOGIN = "/login"
OPEN_PATHS = ("/healthz",)  # without a token: it says nothing but that there is a server
COOKIE = "phosphene-token"
JSON, PNG, FORM = "application/json", "image/png", "multipart/form-data"
# what pages of other sites may be let use; pages of ours are for people
API_PATHS = ("/healthz", "/metrics", "/openapi.json", "/person.png", "/wander.png")
API_STARTS = ("/api/", "/v1/", "/sdapi/", PAINTING_PATH)
LIMITS = {JSON: 1_000_000, PNG: 32_000_000}  # bytes of a body, by its kind
# where pictures come in JSON, as base64; and where they come as forms
WITH_PICTURES = ("/sdapi/v1/img2img", "/sdapi/v1/png-info", "/sdapi/v1/interrogate")
WITH_FORMS = ("/v1/images/edits", "/v1/images/variations")
PICTURE_LIMIT = 44_000_000  # bytes of such a body: 32 MB in base64
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def is_local(host: str) -> bool:
    """Whether a server that binds to a host is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_api(path: str) -> bool:
    """Whether a path is one for programs."""
    return path in API_PATHS or path.startswith(API_STARTS)


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules.

    Args:
        token: What who asks has to show; None asks for nothing.
        hosts: Names that this server answers to, besides the local ones.
        any_address: Whether it answers to every IP address too: a web page can make a *name* point
            here (DNS rebinding), but not an address.
        origins: Other sites whose pages may use the APIs; see `origins.py`.
    """

    token: str | None = None
    hosts: frozenset[str] = frozenset()
    any_address: bool = False
    origins: frozenset[str] = frozenset()

    def check(self, method: str, path: str, headers: Mapping[str, str]) -> int:
        """Let a request pass, or not; returns how many bytes its body may have.

        Raises:
            Refused: it does not pass.
        """
        host = self.check_host(headers)
        is_lent = self.lends(path, headers)
        if path not in (*OPEN_PATHS, LOGIN):
            self._check_token(headers, bearer_alone=is_lent)
        if method in SAFE_METHODS and not path.startswith(PAINTING_PATH):
            return 0
        if not is_lent:
            _check_origin(headers, host)
        if method in SAFE_METHODS:
            return 0
        return _check_body(path, headers)

    def lends(self, path: str, headers: Mapping[str, str]) -> bool:
        """Whether a request is of another site's page that may use what it asks for."""
        origin = headers.get("origin", "")
        is_own = urlsplit(origin).netloc == headers.get("host", "")
        return origin in self.origins and not is_own and is_api(path)

    def check_host(self, headers: Mapping[str, str]) -> str:
        """See that a request means this server; returns the host as it is given.

        Raises:
            Refused: it means another.
        """
        given = headers.get("host", "")
        name = _host_name(given)
        if name in LOCAL_NAMES or name in self.hosts or (self.any_address and _is_address(name)):
            return given
        raise Refused(421, "wrong_host", f"this server is not called {name[:100]!r}; --allow-host")

    def _check_token(self, headers: Mapping[str, str], *, bearer_alone: bool) -> None:
        if self.token is None:
            return
        # cookies and passwords are what a browser adds by itself, whatever page asks
        shown = _bearer(headers) if bearer_alone else _shown_tokens(headers)
        # all are compared, each in the same time whatever it is
        right = [hmac.compare_digest(text.encode(), self.token.encode()) for text in shown]
        if not any(right):
            raise Refused(401, "wrong_token", "show the server's token as `Authorization: Bearer`")


def _bearer(headers: Mapping[str, str]) -> list[str]:
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    return [rest.strip()] if scheme.lower() == "bearer" else []


def _shown_tokens(headers: Mapping[str, str]) -> list[str]:
    """What a request shows: a bearer token, the password of Basic, or a cookie."""
    found = _bearer(headers)
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        with contextlib.suppress(binascii.Error, ValueError):
            found.append(base64.b64decode(rest, validate=True).decode().partition(":")[2])
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        cookie = None
    if cookie is not None:
        found.append(cookie.value)
    return found


def _check_origin(headers: Mapping[str, str], host: str) -> None:
    """Refuse what a page of another site sends; programs send neither header."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        raise Refused(403, "wrong_origin", "requests of other sites' pages are refused")
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Refused(403, "wrong_origin", "requests of other sites' pages are refused")


def _check_body(path: str, headers: Mapping[str, str]) -> int:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    length = headers.get("content-length", "")
    is_empty = length in ("", "0") and "transfer-encoding" not in headers
    if is_empty and not kind:
        return 0
    limits = dict(LIMITS)
    if path in WITH_PICTURES:
        limits[JSON] = PICTURE_LIMIT
    if path in WITH_FORMS and headers.get("authorization", "").lower().startswith("bearer "):
        # pages of other sites can send forms, but not this header without asking
        limits[FORM] = PICTURE_LIMIT
    if kind not in limits:
        # a page of another site can send forms and plain text without asking, but not these
        also = f"; or {FORM}, with `Authorization: Bearer`" if path in WITH_FORMS else ""
        raise Refused(415, "wrong_content_type", f"send {JSON}, or {PNG} for a picture{also}")
    limit = limits[kind]
    if length and (not length.isdecimal() or len(length) > 18 or int(length) > limit):
        raise Refused(413, "too_large", f"a body of {kind} has at most {limit:,} bytes")
    return limit


def _host_name(host: str) -> str:
    """The name of a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class GuardMiddleware:
    """Applies a guard to an ASGI app, and counts the bytes of bodies as they come."""

    def __init__(self, app: Callable[..., Awaitable[None]], guard: Guard) -> None:
        self.app, self.guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        method = "POST" if scope["type"] == "websocket" else scope["method"]
        try:
            limit = self.guard.check(method, scope["path"], headers)
        except Refused as error:
            if error.status == 401 and _is_browsing(scope, headers):
                await _lead_in(scope, send)
                return
            await refuse(scope, send, error)
            return
        count = 0

        async def counted() -> dict[str, Any]:
            nonlocal count
            message = await receive()
            count += len(message.get("body", b""))
            if count > limit and scope["type"] == "http":
                # of this kind, since FastAPI hides others while it reads a body
                raise HTTPException(413, f"the body has more than {limit:,} bytes")
            return message

        async def guarded(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                extra = [(k.encode(), v.encode()) for k, v in HEADERS.items()]
                message["headers"] = [*message["headers"], *(h for h in extra if h[0] not in there)]
            await send(message)

        await self.app(scope, counted, guarded)


def _is_browsing(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether a person looks for a page, and not a program for an answer."""
    is_get = scope["type"] == "http" and scope["method"] == "GET"
    return is_get and "text/html" in headers.get("accept", "")


async def _lead_in(scope: Scope, send: Send) -> None:
    """Send a browser to where it can show the token, and from there back."""
    query = scope.get("query_string", b"").decode("latin-1")
    wanted = quote(scope["path"] + ("?" + query if query else ""), safe="")
    headers = {**HEADERS, "location": f"{LOGIN}?next={wanted}", "content-length": "0"}
    raw = [(k.encode(), v.encode()) for k, v in headers.items()]
    await send({"type": "http.response.start", "status": 303, "headers": raw})
    await send({"type": "http.response.body", "body": b""})


async def refuse(scope: Scope, send: Send, error: Refused) -> None:
    """Answer a request with an error, before any app has seen it."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    data = json.dumps(body(error.status, error.code, error.message, error.param)).encode()
    headers = {**HEADERS, "content-type": JSON, "content-length": str(len(data))}
    headers |= retry_headers(error.status, error.retry_after)
    if error.status == 401:
        headers["www-authenticate"] = 'Basic realm="phosphene"'
    if error.status in (413, 415):
        headers["connection"] = "close"  # the body that is on its way is not read
    raw = [(k.encode(), v.encode()) for k, v in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": raw})
    await send({"type": "http.response.body", "body": data})
