"""The promises of docs/security.md about requests: who asks, from where, how much."""

import base64

import pytest
from starlette.routing import Route

from phosphene.web.failures import Refused
from phosphene.web.guard import LIMITS, Guard, is_local
from tests.web.served import BASE, FOX, error_of, served

TOKEN = "correct horse"
JSON = {"content-type": "application/json"}


@pytest.fixture
def locked(tmp_path):
    guard = Guard(TOKEN, frozenset({"studio.example"}), any_address=True)
    with served(tmp_path / "share", guard) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_what_is_this_machine_alone(host, local):
    assert is_local(host) is local


@pytest.mark.parametrize("host", ["127.0.0.1:8420", "localhost:1", "LOCALHOST", "[::1]:8420"])
def test_local_names_are_answered(client, host):
    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8420", "127.0.0.1.evil.example", "", "192.168.1.5", "@"]
)
def test_other_names_are_not_so_that_no_page_can_rebind_one(client, host):
    for path in ("/healthz", "/api/jobs", "/nothing"):
        response = client.get(path, headers={"host": host})
        assert (response.status_code, error_of(response)["code"]) == (421, "wrong_host")


def test_a_server_for_others_answers_to_addresses_and_its_names(locked):
    bearer = {"authorization": f"Bearer {TOKEN}"}
    for host in ("192.168.1.5:8420", "[fe80::1]", "studio.example", "localhost"):
        assert locked.get("/api/jobs", headers={"host": host, **bearer}).status_code == 200
    assert locked.get("/api/jobs", headers={"host": "evil.example", **bearer}).status_code == 421


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"me:{password}".encode()).decode()


def test_the_token_is_shown_in_one_of_three_ways(locked):
    for headers in (
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": basic(TOKEN)},
        {"cookie": f'phosphene-token="{TOKEN}"'},
    ):
        assert locked.get("/api/jobs", headers=headers).status_code == 200
    for headers in (
        {},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"bearer {TOKEN[:-1]}"},
        {"authorization": "Basic !!!"},
        {"authorization": basic("wrong")},
        {"authorization": "Bearer \xe9"},
        {"cookie": "phosphene-token=wrong"},
        {"cookie": "other=1"},
    ):
        raw = {k: v.encode("latin-1") for k, v in headers.items()}
        response = locked.get("/api/jobs", headers=raw)
        assert (response.status_code, error_of(response)["code"]) == (401, "wrong_token"), headers
        assert response.headers["www-authenticate"].startswith("Basic")


def test_without_the_token_no_route_but_the_pulse_answers(locked):
    routes = [r for r in all_routes(locked.app) if r.path not in ("/healthz", "/login")]
    assert len(routes) > 25
    for route in routes:
        for method in route.methods:
            path = route.path_format.format(**dict.fromkeys(route.param_convertors, "x"))
            assert locked.request(method, path, headers=JSON).status_code == 401, route
    assert locked.get("/healthz").json() == {"status": "ok", "workers": 0}


def all_routes(app) -> list[Route]:
    """Every route, those of included routers too."""
    found, waiting = [], [*app.routes]
    while waiting:
        route = waiting.pop()
        inner = getattr(route, "routes", None)
        if inner is None and hasattr(route, "original_router"):
            inner = route.original_router.routes
        if inner is not None:
            waiting += inner
        elif hasattr(route, "methods"):
            found.append(route)
    return found


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://127.0.0.1:8420.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_pages_of_other_sites_change_nothing(client, headers):
    for method, path in (("POST", "/api/recipes"), ("DELETE", "/api/gallery/bin")):
        response = client.request(method, path, json=FOX, headers=headers)
        assert (response.status_code, error_of(response)["code"]) == (403, "wrong_origin")
    assert client.get("/api/jobs").json() == []
    own = {"origin": BASE, "sec-fetch-site": "same-origin"}
    assert client.post("/api/recipes", json=FOX, headers=own).status_code == 202


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"],
)
def test_what_a_form_can_send_is_refused(client, kind):
    response = client.post("/api/recipes", content=b'{"kind":1}', headers={"content-type": kind})
    assert (response.status_code, error_of(response)["code"]) == (415, "wrong_content_type")


def test_no_header_lets_pages_of_other_sites_read(client):
    for headers in (
        {"origin": "http://evil.example"},
        {
            "origin": "http://evil.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        },
    ):
        for method in ("GET", "OPTIONS"):
            response = client.request(method, "/api/jobs", headers=headers)
            assert not [name for name in response.headers if name.startswith("access-control")]


def test_bodies_are_limited_whether_they_say_so_or_not(client):
    limit = LIMITS["application/json"]
    response = client.post("/api/recipes", content=b"x" * (limit + 1), headers=JSON)
    assert (response.status_code, error_of(response)["code"]) == (413, "too_large")

    def endless():
        for _ in range(limit // 1000 + 2):
            yield b"x" * 1000

    response = client.post("/api/recipes", content=endless(), headers=JSON)
    assert response.status_code == 413
    for length in ("-1", "1e3", "9" * 30, "0x10"):
        with pytest.raises(Refused, match="at most"):
            Guard().check(
                "POST", "/api/recipes", {"host": "localhost", **JSON, "content-length": length}
            )


def test_every_answer_says_that_it_is_what_it_says(client):
    for path in ("/healthz", "/nothing", "/api/jobs"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"
