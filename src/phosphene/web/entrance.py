"""The way in for people: a page that takes the server's token, and leaves it as a cookie.

Programs show the token with each request; a browser cannot be told to, so it gets a cookie that
scripts cannot read and that other sites' pages cannot make it send.
"""

import asyncio
import hmac
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from phosphene.web.failures import Refused
from phosphene.web.guard import COOKIE, LOGIN
from phosphene.web.house import Here

router = APIRouter(tags=["operations"])

PAGE = Path(__file__).with_name("entrance.html")
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MONTH = 30 * 24 * 3600
WRONG_SECONDS = 0.5  # that a wrong token takes, so that guessing is slow


class Shown(BaseModel):
    """What a visitor typed."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=1000)


@router.get(LOGIN, response_class=HTMLResponse)
def entrance() -> HTMLResponse:
    """Ask for the token."""
    headers = {"content-security-policy": POLICY, "cache-control": "no-store"}
    return HTMLResponse(PAGE.read_text(encoding="utf-8"), headers=headers)


@router.post(LOGIN)
async def enter(here: Here, shown: Shown) -> JSONResponse:
    """Take the token, and let the browser in."""
    token = here.settings.guard.token
    if token is None:
        return JSONResponse({"status": "open"})
    if not hmac.compare_digest(shown.token.encode(), token.encode()):
        await asyncio.sleep(WRONG_SECONDS)
        raise Refused(401, "wrong_token", "that is not this server's token")
    answer = JSONResponse({"status": "welcome"})
    answer.set_cookie(COOKIE, token, max_age=MONTH, httponly=True, samesite="strict")
    return answer
