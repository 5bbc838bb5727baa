"""The process that carries out jobs, one at a time: one for each device.

What goes wrong with a job ends the job; what kills this process costs the job one of its three
lives. Imports torch only once it works, so that the server can name `work` without it.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import parent_process
from pathlib import Path
from typing import Protocol

from phosphene.core.errors import PhospheneError, StorageError
from phosphene.studio.job import Job, State
from phosphene.studio.leases import Held, LeaseLost, Pace, name_worker
from phosphene.studio.studio import Studio, open_studio

BEAT_SECONDS = 1.0
IDLE_SECONDS = 0.2
GRACE_SECONDS = 10.0  # to obey a wish; a step that takes longer is broken off with the process
STUBBORN = 3  # exit code of a process that had to be broken off


@dataclass(frozen=True, slots=True)
class Post:
    """What a worker is told when it starts.

    Args:
        token: Part of its name, so that whoever started it knows that.
        home: Where models live.
        data: Where folders to learn from are; None if recipes may name none.
    """

    share: Path
    database: str | None
    device: str
    home: Path
    token: str
    data: Path | None = None


class Quit(Protocol):
    """An event that asks a worker to stop; `multiprocessing.Event` is one."""

    def is_set(self) -> bool: ...


class Pulse:
    """Shows that a job is alive while it is carried out, and hears what it should become.

    Args:
        leaving: Whether this process should end.
    """

    def __init__(self, studio: Studio, held: Held, leaving: Callable[[], bool]) -> None:
        self.studio, self.held, self._leaving = studio, held, leaving
        self._wish: State | None = None
        self._lost = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def __enter__(self) -> "Pulse":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def wish(self) -> State | None:
        """What the job should become.

        Raises:
            LeaseLost: it is somebody else's by now.
        """
        if self._lost:
            raise LeaseLost(f"job {self.held.job!r} is somebody else's by now")
        return self._wish

    def _beat(self) -> None:
        since: float | None = None
        while not self._over.wait(BEAT_SECONDS):
            try:
                self._wish = self.studio.leases.extend(self.held)
            except LeaseLost:
                self._lost = True
            except StorageError:
                continue  # busy, or full for now: the lease holds for a while
            if self._wish is None and self._leaving():
                self._wish = State.QUEUED
            if self._wish is None and not self._lost:
                since = None
                continue
            since = since or time.monotonic()
            if time.monotonic() - since >= GRACE_SECONDS:
                self._break_off()

    def _break_off(self) -> None:
        """The step does not end: end the process, after what there is to say."""
        try:
            if self._wish is not None and not self._lost:
                self.studio.leases.give_back(self.held, self._wish)
        finally:
            os._exit(STUBBORN)


def work(post: Post, quits: Quit) -> None:
    """Carry out jobs until asked to stop, or until whoever started this process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which tells us
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    parent = parent_process()

    def leaving() -> bool:
        return quits.is_set() or asked.is_set() or (parent is not None and not parent.is_alive())

    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.studio.carrying import carry_out
    from phosphene.zoo import Zoo

    studio, zoo = open_studio(post.share, post.database), Zoo(post.home)
    name = name_worker(os.getpid(), post.token)
    while not leaving():
        try:
            claimed = studio.leases.claim(name)
        except StorageError:
            claimed = None
        if claimed is None:
            time.sleep(IDLE_SECONDS)
            continue
        job, held = claimed
        with Pulse(studio, held, leaving) as pulse:
            carry = partial(carry_out, studio, job, held, zoo, post.device, data=post.data)
            attempt(studio, job, held, partial(carry, wish=pulse.wish))
    studio.close()


def attempt(studio: Studio, job: Job, held: Held, carry: Callable[[], Pace | None]) -> None:
    """Carry out one job, and write down how it ended, whatever happens.

    Args:
        carry: Does it, and returns how fast it went.
    """
    from phosphene.studio.carrying import Stopped, tidy_run

    try:
        try:
            studio.leases.finish(held, carry())
        except Stopped as stopped:
            studio.leases.give_back(held, stopped.state)
            if stopped.state is not State.CANCELLED:
                return
        except (LeaseLost, KeyboardInterrupt):
            raise
        except Exception as error:
            studio.leases.fail(held, error)
        tidy_run(studio, job)
    except LeaseLost:
        return  # somebody else carries it out
    except PhospheneError:
        return  # the database is gone: the lease runs out, and the job is taken up again
