"""Errors have one form, and say nothing of this machine."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from phosphene.core.errors import StorageError, TooMany
from phosphene.web.failures import Refused, install, retry_headers
from tests.web.served import error_of

RAISED = [
    (Refused(403, "wrong_origin", "no", "x"), 403, "wrong_origin", "permission_error"),
    (TooMany("full"), 429, "too_many", "rate_limit_error"),
    (StorageError("busy"), 503, "storage_error", "server_error"),
    (ZeroDivisionError("/etc/secret"), 500, "internal_error", "server_error"),
]


@pytest.mark.parametrize(("raised", "status", "code", "kind"), RAISED)
def test_every_error_has_the_form(raised, status, code, kind):
    app = FastAPI()
    install(app)

    @app.get("/")
    def fail() -> None:
        raise raised

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert answer.status_code == status
    error = error_of(answer)
    assert (error["code"], error["type"]) == (code, kind)
    assert "secret" not in answer.text


def test_whoever_is_sent_away_for_now_is_told_when_to_come_back():
    assert retry_headers(429) == {"retry-after": "10"}
    assert retry_headers(429, 0.2) == {"retry-after": "1"}
    assert retry_headers(503, 2.1) == {"retry-after": "3"}
    assert retry_headers(404) == {}
