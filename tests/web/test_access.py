"""One record a request: its route as a template, its status, who asked; never its path."""

import asyncio
import logging
from contextlib import suppress

import pytest
from fastapi import APIRouter

from phosphene.web.access import AccessMiddleware, client_address, method_of, templates_of
from tests.web.test_guard import all_routes

router = APIRouter(prefix="/a")


@router.get("/fixed")
@router.get("/{one}/end")
@router.get("/rest/{text:path}")
def nothing(one: str = "", text: str = "") -> None:
    """Do nothing."""


async def unasked(scope, receive, send):
    raise AssertionError


def middleware(app=unasked) -> AccessMiddleware:
    return AccessMiddleware(app, templates_of(router.routes), ("/page",), ("/_own/",))


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/a/fixed", "/a/fixed"),
        ("/a/words/end", "/a/{one}/end"),
        ("/a/rest/words/and more", "/a/rest/{text}"),
        ("/page", "/page"),
        ("/page/words", None),
        ("/_own/words", "/_own/{path}"),
        ("/a/words", None),
        ("", None),
    ],
)
def test_routes_are_templates(path, route):
    assert middleware().route_of(path) == route


def test_every_route_of_the_app_has_one(client, caplog):
    caplog.set_level(logging.INFO, "phosphene")
    for route in all_routes(client.app):
        caplog.clear()
        path = route.path_format.format(**dict.fromkeys(route.param_convertors, "x"))
        client.request("TRACE", path)
        (told,) = [r.fields for r in caplog.records if r.msg == "request"]
        # another template may fit the same path, as "/api/gallery/{picture}" does
        assert told["route"] is not None
        assert ("{" in told["route"]) >= ("{" in route.path_format), route.path_format
        assert told["method"] == "OTHER"


def asked(messages, caplog, kind="http", **scope):
    """Let an app send messages, and say what is logged."""

    async def app(scope, receive, send):
        for message in messages:
            if isinstance(message, Exception):
                raise message
            await send(message)

    async def nowhere(message):
        pass

    caplog.clear()
    caplog.set_level(logging.INFO, "phosphene")
    whole = {"type": kind, "path": "/a/fixed", "method": "GET", "client": ("10.0.0.7", 3), **scope}
    with suppress(ZeroDivisionError):
        asyncio.run(middleware(app)(whole, nowhere, nowhere))
    (record,) = caplog.records
    return record.levelname, record.fields


def test_what_is_said_of_a_request(caplog):
    level, told = asked([{"type": "http.response.start", "status": 404}], caplog)
    assert 0 <= told.pop("milliseconds") < 60_000
    assert (level, told) == (
        "INFO",
        {"method": "GET", "route": "/a/fixed", "status": 404, "client": "10.0.0.7"},
    )


def test_what_becomes_of_it(caplog):
    start = {"type": "http.response.start", "status": 200}
    accept, close = {"type": "websocket.accept"}, {"type": "websocket.close"}
    assert asked([ZeroDivisionError()], caplog)[1]["status"] == 500
    assert asked([ZeroDivisionError()], caplog)[0] == "ERROR"
    assert asked([start, ZeroDivisionError()], caplog)[1]["status"] == 200
    for messages, status in (([close], 403), ([accept, close], 101)):
        told = asked(messages, caplog, "websocket")[1]
        assert (told["method"], told["status"]) == ("WEBSOCKET", status)


def test_what_a_client_makes_up_is_not_said():
    assert method_of({"type": "http", "method": "WORDS"}) == "OTHER"
    assert client_address({"client": ("some words", 0)}) is None
    assert client_address({"client": None}) is None
    assert client_address({"client": ("::1", 0)}) == "::1"


def test_nothing_is_said_where_nobody_listens(caplog):
    passed = []

    async def app(scope, receive, send):
        passed.append(send)

    async def send(message):
        pass

    caplog.set_level(logging.WARNING, "phosphene")
    asyncio.run(middleware(app)({"type": "http"}, send, send))
    assert (passed, caplog.records) == ([send], [])
