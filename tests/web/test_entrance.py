"""The way in: the token goes in once, and is a cookie after."""

import pytest

from phosphene.web import entrance
from phosphene.web.guard import Guard
from tests.web.served import error_of, served

TOKEN = "correct horse"


@pytest.fixture
def locked(tmp_path, monkeypatch):
    monkeypatch.setattr(entrance, "WRONG_SECONDS", 0.0)
    with served(tmp_path / "share", Guard(TOKEN)) as client:
        yield client


def test_the_page_can_be_seen_and_holds_no_token(locked):
    response = locked.get("/login")
    assert response.status_code == 200
    assert TOKEN not in response.text
    assert "http" not in response.headers["content-security-policy"]
    assert "src=" not in response.text


def test_the_right_token_lets_in(locked):
    assert locked.get("/api/jobs").status_code == 401
    response = locked.post("/login", json={"token": TOKEN})
    assert response.status_code == 200
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert locked.get("/api/jobs").status_code == 200


def test_a_wrong_one_does_not(locked):
    for token in ("", TOKEN[:-1], TOKEN + "x", "gänse"):
        response = locked.post("/login", json={"token": token})
        assert (response.status_code, error_of(response)["code"]) == (401, "wrong_token")
        assert "set-cookie" not in response.headers
    evil = {"origin": "http://evil.example"}
    assert locked.post("/login", json={"token": TOKEN}, headers=evil).status_code == 403
    assert locked.get("/api/jobs").status_code == 401


def test_a_studio_without_a_token_is_open(client):
    response = client.post("/login", json={"token": "x"})
    assert response.json() == {"status": "open"}
    assert "set-cookie" not in response.headers
