"""How much one client may ask for: requests, new jobs, and jobs that wait.

A client is an address; of IPv6, a network of 64 bits, since a machine has as many addresses of one
as it likes. What is counted is forgotten when the server stops: no address is ever written down.
"""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields

from phosphene.core.errors import RecipeError, did_you_mean
from phosphene.web.failures import Refused
from phosphene.web.guard import OPEN_PATHS, Receive, Scope, Send, refuse

MINUTE = 60.0
MAX_CLIENTS = 10_000  # that are remembered; who was not heard of for longest is forgotten
NOBODY = "-"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may do; 0 is without limit.

    Args:
        requests: A minute, of all kinds.
        jobs: New ones a minute. What is answered from the gallery is none.
        waiting: Of its jobs at a time, queued or paused.
    """

    requests: int = 6000
    jobs: int = 120
    waiting: int = 200


def read_limits(text: str) -> Limits:
    """Read `jobs=10,waiting=50`; what is not named stays as it is.

    Raises:
        RecipeError: another name, or no number from 0 up.
    """
    known = [f.name for f in fields(Limits)]
    values = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = part.partition("=")
        if name not in known:
            hint = did_you_mean(name, known)
            raise RecipeError(f"--limits: {part!r} is none{hint}; write {'=, '.join(known)}=")
        if not number.isascii() or not number.isdigit() or len(number) > 9:
            raise RecipeError(f"--limits: {part!r} should be a number, 0 for none")
        values[name] = int(number)
    return Limits(**values)


def client_of(host: str | None) -> str:
    """Who an address is."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return host or NOBODY
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)


@dataclass(slots=True)
class _Account:
    """What a client has left, and when that was."""

    left: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    jobs: set[str] = field(default_factory=set)


class Ledger:
    """What each client has asked for.

    Args:
        clock: In seconds; only differences count.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self.clock = limits, clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._lock = threading.Lock()  # routes run in threads

    def spend(self, client: str, what: str) -> None:
        """Count one request or job of a client.

        A minute's worth may come at once; then they come back one by one.

        Raises:
            Refused: it has none left for now.
        """
        most = getattr(self.limits, what)
        if most == 0:
            return
        rate = most / MINUTE
        with self._lock:
            account, now = self._account(client), self.clock()
            gained = (now - account.seen.get(what, now)) * rate
            left = min(float(most), account.left.get(what, float(most)) + gained)
            account.seen[what] = now
            account.left[what] = left if left < 1 else left - 1
        if left < 1:
            raise Refused(
                429,
                "rate_limited",
                f"more than {most} {what} a minute from one client; try again in a moment",
                retry_after=(1 - left) / rate,
            )

    def note_job(self, client: str, job: str) -> None:
        """Write down that a job is a client's."""
        with self._lock:
            self._account(client).jobs.add(job)

    def check_waiting(self, client: str, still: Callable[[set[str]], set[str]]) -> None:
        """See that a client has room for one more job that waits.

        Args:
            still: Says which of some jobs are waiting.
        Raises:
            Refused: it has not.
        """
        most = self.limits.waiting
        with self._lock:
            mine = self._account(client).jobs
            if most == 0 or len(mine) < most:
                return
            known = set(mine)
        waiting = still(known)
        with self._lock:
            mine -= known - waiting
        if len(waiting) >= most:
            raise Refused(
                429,
                "queue_share_full",
                f"{len(waiting)} jobs of this client are waiting, as many as may; try again later",
            )

    def _account(self, client: str) -> _Account:
        account = self._accounts.setdefault(client, _Account())
        self._accounts.move_to_end(client)
        while len(self._accounts) > MAX_CLIENTS:
            self._accounts.popitem(last=False)
        return account


class LimitMiddleware:
    """Counts the requests of each client, before anything else looks at them."""

    def __init__(self, app: Callable[..., Awaitable[None]], ledger: Ledger) -> None:
        self.app, self.ledger = app, ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"] not in OPEN_PATHS:
            host = (scope.get("client") or (None,))[0]
            try:
                self.ledger.spend(client_of(host), "requests")
            except Refused as error:
                await refuse(scope, send, error)
                return
        await self.app(scope, receive, send)
