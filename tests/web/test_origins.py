"""Pages of other sites: named ones may use the APIs with the token, all others nothing."""

import pytest

from phosphene.core.errors import RecipeError
from phosphene.web.guard import Guard
from phosphene.web.limits import Limits
from phosphene.web.origins import ASKED, read_origin
from tests.web.served import BASE, FOX, error_of, served

SITE, OTHER = "https://studio.example", "https://evil.example"
TOKEN = "correct horse"
BEARER = {"authorization": f"Bearer {TOKEN}"}
CROSS = {"origin": SITE, "sec-fetch-site": "cross-site"}
PREFLIGHT = {
    "origin": SITE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-os,x-forwarded-for",
}


@pytest.fixture
def lending(tmp_path):
    with served(tmp_path / "share", Guard(origins=frozenset({SITE}))) as client:
        yield client


@pytest.fixture
def locked(tmp_path):
    with served(tmp_path / "share", Guard(TOKEN, origins=frozenset({SITE}))) as client:
        yield client


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://studio.example", SITE),
        ("HTTPS://Studio.Example:443", SITE),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("tauri://localhost", "tauri://localhost"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_origins_are_read_as_browsers_write_them(text, origin):
    assert read_origin(text) == origin


WRONG = [
    *("*", "null", "", "studio.example", "studio.example:80", "//studio.example", "https://"),
    *("https://studio.example/", "https://studio.example/app", "https://studio.example?x"),
    *("https://me@studio.example", "https://*.studio.example", "https://studio.example:0"),
    *("https://studio.example:65536", "https://studio.example:x", "https://stüdio.example"),
    *("file://studio", "https://a b", "https://a,https://b", "https://[::1", "https://a\nb"),
]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_origin_is_refused(text):
    with pytest.raises(RecipeError, match="--allow-origin") as refused:
        read_origin(text)
    assert "\n" not in str(refused.value)


def allowed(response) -> list[str]:
    return sorted(name for name in response.headers if name.startswith("access-control"))


def test_a_browser_that_asks_first_is_answered(locked):
    for path in ("/api/recipes", "/v1/images/generations", "/sdapi/v1/txt2img", "/prompt/a fox"):
        response = locked.options(path, headers=PREFLIGHT)
        headers = response.headers
        assert (response.status_code, response.content) == (204, b"")
        assert headers["access-control-allow-origin"] == SITE
        assert {"GET", "POST", "DELETE"} <= {*headers["access-control-allow-methods"].split(", ")}
        names = headers["access-control-allow-headers"].split(", ")
        assert names == [*sorted(ASKED), "x-stainless-os"]
        assert "Origin" in headers["vary"]
        assert "access-control-allow-credentials" not in headers


def test_a_page_of_a_named_site_submits_and_reads(locked):
    for method, path, body in (
        ("POST", "/api/recipes", FOX),
        ("GET", "/api/jobs", None),
        ("DELETE", "/api/gallery/bin", None),
        ("GET", "/prompt/a fox?format=json", None),
    ):
        response = locked.request(method, path, json=body, headers={**CROSS, **BEARER})
        assert response.status_code in (200, 202), response.text
        assert response.headers["access-control-allow-origin"] == SITE
        assert "etag" in response.headers["access-control-expose-headers"]
        assert response.headers["vary"].endswith("Origin")
        assert "access-control-allow-credentials" not in response.headers
    assert len(locked.get("/api/jobs", headers=BEARER).json()) == 1


def test_it_may_not_use_what_the_browser_adds_by_itself(locked):
    for headers in (
        {"cookie": f'phosphene-token="{TOKEN}"'},
        {"authorization": "Basic bWU6Y29ycmVjdCBob3JzZQ=="},
        {},
    ):
        for method in ("GET", "POST"):
            response = locked.request(method, "/api/jobs", json=FOX, headers={**CROSS, **headers})
            assert (response.status_code, error_of(response)["code"]) == (401, "wrong_token")
            # the page may read why
            assert response.headers["access-control-allow-origin"] == SITE
        own = {"origin": BASE, **headers}
        assert locked.get("/api/jobs", headers=own).status_code == (200 if headers else 401)


@pytest.mark.parametrize(
    "origin",
    [
        *(OTHER, "null", "http://studio.example", "https://studio.example:8443", "https://STUDIO"),
        *("https://studio.example.evil.example", "https://studio.example/", "https://a, " + SITE),
    ],
)
def test_a_page_of_any_other_site_is_refused_as_before(lending, origin):
    response = lending.options("/api/recipes", headers={**PREFLIGHT, "origin": origin})
    assert response.status_code == 405
    assert allowed(response) == []
    for method, path in (("POST", "/api/recipes"), ("GET", "/prompt/a fox?format=json")):
        response = lending.request(method, path, json=FOX, headers={"origin": origin})
        assert (response.status_code, error_of(response)["code"]) == (403, "wrong_origin")
        assert allowed(response) == []
        assert "Origin" in response.headers["vary"]  # or a cache would mix them up
    assert lending.get("/api/jobs").json() == []


def test_pages_and_the_entrance_are_lent_to_nobody(lending):
    for path in ("/", "/imagine", "/login", "/_nicegui/x.js", "/favicon.ico", "/nothing"):
        response = lending.options(path, headers=PREFLIGHT)
        assert (response.status_code, allowed(response)) != (204, []), path
        assert allowed(response) == []
        response = lending.get(path, headers=CROSS)
        assert allowed(response) == []
    response = lending.post("/login", json={"token": TOKEN}, headers=CROSS)
    assert response.status_code == 403


def test_a_picture_in_a_named_page_still_paints_nothing(lending):
    # <img> sends no origin, so it may be of any page
    for path in ("/prompt/a fox", "/person.png", "/wander.png?path=z = 7"):
        response = lending.get(path, headers={"sec-fetch-site": "cross-site"})
        assert response.status_code == 403
        assert response.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_generator_is_lent(lending):
    lending.app.state.house.live.ask = lambda recipe: b"a picture"
    for path in ("/person.png?seed=3", "/wander.png?path=z = 7"):
        assert lending.get(path, headers=CROSS).status_code == 200
        assert lending.get(path, headers={**CROSS, "origin": OTHER}).status_code == 403


def test_a_name_that_is_rebound_is_not_lent(lending):
    response = lending.options("/api/recipes", headers={**PREFLIGHT, "host": "evil.example"})
    assert (response.status_code, error_of(response)["code"]) == (421, "wrong_host")


def test_refusals_for_now_can_be_read(tmp_path):
    guard = Guard(origins=frozenset({SITE}))
    with served(tmp_path / "share", guard, limits=Limits(requests=1)) as client:
        client.get("/api/jobs", headers=CROSS)
        response = client.get("/api/jobs", headers=CROSS)
        assert response.status_code == 429
        assert response.headers["access-control-allow-origin"] == SITE
        assert "retry-after" in response.headers["access-control-expose-headers"]


def test_nothing_is_said_where_no_site_is_named(client):
    response = client.options("/api/recipes", headers=PREFLIGHT)
    assert (response.status_code, allowed(response)) == (405, [])
    assert "Origin" not in client.get("/api/jobs", headers=CROSS).headers.get("vary", "")
