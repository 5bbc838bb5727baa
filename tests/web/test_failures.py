"""Errors have one form, and say nothing of this machine."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from phosphene.core.errors import StorageError, TooMany
from phosphene.web.failures import Refused, install
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
