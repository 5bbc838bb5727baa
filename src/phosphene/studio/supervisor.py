"""Keeps one worker process for each device alive. Lives in the server; imports no torch."""

import multiprocessing
import secrets
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from pathlib import Path

from phosphene.core.errors import PhospheneError
from phosphene.studio.leases import LeaseLost, name_worker
from phosphene.studio.studio import Studio
from phosphene.studio.worker import Post, Quit, work

LOOK_SECONDS = 0.25
RECLAIM_SECONDS = 5.0
GRACE_SECONDS = 15.0  # longer than a worker's own
SHORT_LIFE_SECONDS = 10.0
MAX_WAIT_SECONDS = 30.0


@dataclass
class _Desk:
    """A device, and who works there now."""

    device: str
    process: SpawnProcess | None = None
    name: str = ""
    born: float = 0.0
    short_lives: int = 0
    not_before: float = 0.0
    deaths: list[str] = field(default_factory=list)


class Supervisor:
    """Starts workers, starts them again when they die, and gives their jobs back to the queue.

    Args:
        database: URL; None is the SQLite file in the studio's folder.
        devices: One worker each.
        home: Where models live.
        target: What a worker process runs.
        data: Where folders to learn from are; None if recipes may name none.
    """

    def __init__(
        self,
        studio: Studio,
        database: str | None,
        devices: Sequence[str],
        home: Path,
        target: Callable[[Post, Quit], None] = work,
        *,
        data: Path | None = None,
    ) -> None:
        self.studio, self.database, self.home, self.target = studio, database, home, target
        self.data = data
        self._context = multiprocessing.get_context("spawn")
        self._quits = self._context.Event()
        self._desks = [_Desk(device) for device in devices]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Take back what a killed server left, and set workers to work."""
        self.studio.leases.reclaim()
        for desk in self._desks:
            self._hire(desk)
        self._thread.start()

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Let workers give back what they do, and end; who does not is killed."""
        self._over.set()
        self._thread.join()
        self._quits.set()
        until = time.monotonic() + grace
        for desk in self._desks:
            if desk.process is None:
                continue
            desk.process.join(max(0.0, until - time.monotonic()))
            if desk.process.is_alive():
                desk.process.kill()
                desk.process.join()
            for held in self.studio.leases.held_by(desk.name):
                with suppress(LeaseLost):  # it is not the job's fault
                    self.studio.leases.give_back(held)

    def workers(self) -> list[tuple[str, int | None]]:
        """Device and process id of each worker; None between two lives."""
        return [
            (desk.device, desk.process.pid if desk.process and desk.process.is_alive() else None)
            for desk in self._desks
        ]

    def deaths(self) -> int:
        """Workers that died so far."""
        return sum(len(desk.deaths) for desk in self._desks)

    def _hire(self, desk: _Desk) -> None:
        token = secrets.token_hex(8)
        share = self.studio.store.share
        post = Post(share, self.database, desk.device, self.home, token, self.data)
        desk.process = self._context.Process(
            target=self.target,
            args=(post, self._quits),
            name=f"phosphene-{desk.device}",
            daemon=True,
        )
        desk.process.start()
        assert desk.process.pid is not None
        desk.name, desk.born = name_worker(desk.process.pid, token), time.monotonic()

    def _watch(self) -> None:
        reclaimed = time.monotonic()
        while not self._over.wait(LOOK_SECONDS):
            # whatever is wrong with the database now may be right in a moment
            with suppress(PhospheneError):
                for desk in self._desks:
                    self._look_after(desk)
                if time.monotonic() - reclaimed >= RECLAIM_SECONDS:
                    reclaimed = time.monotonic()
                    self.studio.leases.reclaim()

    def _look_after(self, desk: _Desk) -> None:
        now = time.monotonic()
        if desk.process is not None:
            if desk.process.is_alive():
                return
            how = _how(desk.process.exitcode)
            self.studio.leases.reclaim({desk.name: how})
            desk.deaths.append(how)
            desk.process = None
            # one that cannot even start must not be started all the time
            desk.short_lives = desk.short_lives + 1 if now - desk.born < SHORT_LIFE_SECONDS else 0
            desk.not_before = now + min(MAX_WAIT_SECONDS, 2.0 ** max(0, desk.short_lives - 3) - 1)
        if now >= desk.not_before:
            self._hire(desk)


def _how(exit_code: int | None) -> str:
    """How a process ended, for people."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = "; is memory short?" if name == "SIGKILL" else ""
        return f"it was killed by {name}{hint}"
    return f"it ended with exit code {exit_code}"
