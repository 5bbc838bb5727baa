"""Errors as every API of ours says them: {"error": {"message", "type", "param", "code"}}."""

import math
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from phosphene.core.errors import (
    NotFound,
    PhospheneError,
    RecipeError,
    TooMany,
    WrongState,
)

STATUSES: tuple[tuple[type[PhospheneError], int], ...] = (
    (NotFound, 404),
    (WrongState, 409),
    (TooMany, 429),
    (RecipeError, 400),
    (PhospheneError, 503),
)
CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
RETRY_SECONDS = 10.0  # where nothing better is known
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Refused(Exception):
    """A request that is answered with an error.

    Args:
        code: A word that programs can compare.
        param: The field that is to blame.
        retry_after: Seconds after which it may go better.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.retry_after = retry_after


def body(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """The JSON of an error."""
    kind = TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def answer(
    status: int,
    code: str,
    message: str,
    param: str | None = None,
    *,
    retry_after: float | None = None,
) -> JSONResponse:
    """The response of an error."""
    return JSONResponse(
        body(status, code, message, param), status, retry_headers(status, retry_after)
    )


def retry_headers(status: int, seconds: float | None = None) -> dict[str, str]:
    """When to come back, for whoever was sent away for now."""
    if status != 429 and seconds is None:
        return {}
    return {"retry-after": str(max(1, math.ceil(seconds or RETRY_SECONDS)))}


def status_of(error: PhospheneError) -> int:
    """The status of one of our errors."""
    return next(status for kind, status in STATUSES if isinstance(error, kind))


def of_error(error: PhospheneError) -> dict[str, Any]:
    """The JSON of one of our errors."""
    text = str(error)
    field = re.match(r"([a-z_]+(?:\.[a-z_]+)*): ", text)
    code = snake(type(error).__name__)
    return body(status_of(error), code, text, field[1] if field else None)


def install(app: FastAPI) -> None:
    """Make an app say all its errors in this form."""

    @app.exception_handler(Refused)
    def refused(_request: Request, error: Refused) -> JSONResponse:
        return answer(
            error.status, error.code, error.message, error.param, retry_after=error.retry_after
        )

    @app.exception_handler(PhospheneError)
    def ours(_request: Request, error: PhospheneError) -> JSONResponse:
        status = status_of(error)
        return JSONResponse(of_error(error), status, retry_headers(status))

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = [str(part) for part in first["loc"]]
        name = ".".join(where[1:]) or where[0]
        return answer(422, "invalid_value", f"{name}: {first['msg']}", name)

    @app.exception_handler(HTTPException)
    def http(_request: Request, error: HTTPException) -> JSONResponse:
        code = CODES.get(error.status_code, "bad_request")
        response = answer(error.status_code, code, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    def fault(_request: Request, _error: Exception) -> JSONResponse:
        # what went wrong is in the log; a stranger learns nothing of this machine
        return answer(500, "internal_error", "a fault of ours; the server's log has more")


def snake(name: str) -> str:
    """`UnknownModel` as `unknown_model`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
