"""`phosphene serve`, killed with SIGKILL at random moments: what it accepted, it finishes once.

Each life of the server begins on the same port, and jobs come over HTTP all the time. A submission
that got no answer is made again with its `Idempotency-Key`, as a careful client does.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import IO, Any

import pytest

from phosphene.studio.job import ENDED, State
from phosphene.studio.job_events import JobEvent, latest_event, read_events
from phosphene.studio.leases import MAX_DEATHS
from phosphene.studio.repair import inspect, repair
from phosphene.studio.studio import Studio
from tests.studio.studios import studio_in

ROOT = Path(__file__).parents[2]
PROGRAM = "from phosphene.cli.app import main\nif __name__ == '__main__': main()"
EARLY = 0.3  # of the kills come while it starts, the others while a job runs
STARTING_SECONDS, RUNNING_SECONDS = 4.0, 2.0
PAUSE_SECONDS = 0.1  # between two submissions, on average
MAX_WAITING = 4
END_SECONDS = 600.0


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def recipe_of(number: int) -> dict[str, Any]:
    """A small recipe, none like another: a second of work, or less."""
    model = ("digits-cgan", "digits-cgan", "emoji-progan", "glyphs-cgan")[number % 4]
    return {"kind": "sample", "model": model, "count": 1 + 7 * number % 20, "seed": 1000 * number}


class Client:
    """Submits recipes, one after the other, and remembers the jobs that it was promised."""

    def __init__(self, port: int, dice: random.Random) -> None:
        self.port, self.dice = port, dice
        self.jobs: dict[str, dict[str, Any]] = {}
        self.unanswered = 0
        self.faults: list[object] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Client":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        """Submit, as long as few are waiting; at the end nothing is left without an answer."""
        for number in count():
            recipe = recipe_of(number)
            while (job := self._submitted(recipe)) is None:
                if self.faults:
                    return
                time.sleep(0.05)
            self.jobs[job] = recipe
            if self._over.wait(self.dice.expovariate(1 / PAUSE_SECONDS)):
                return

    def _submitted(self, recipe: dict[str, Any]) -> str | None:
        """The job of a recipe; None if there was no answer, or too many are waiting."""
        try:
            if not self._over.is_set() and len(self._ask("GET", "/api/queue")[1]) >= MAX_WAITING:
                return None
            status, job = self._ask("POST", "/api/recipes", recipe, f"key-{recipe['seed']}")
        except (OSError, HTTPException):
            return None
        if status != 202:
            self.faults.append((status, job))
            return None
        return str(job["id"])

    def _ask(self, method: str, path: str, data: object = None, key: str = "") -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"idempotency-key": key, "content-type": "application/json"} if key else {}
        try:
            connection.connect()
            self.unanswered += method == "POST"
            connection.request(method, path, json.dumps(data) if key else None, headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            self.unanswered -= method == "POST"
            return answer.status, said
        finally:
            connection.close()


def start(share: Path, port: int, errors: IO[str]) -> subprocess.Popen[str]:
    options = ["--port", str(port), "--share-dir", str(share)]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "serve", *options, "--limits", "jobs=0,waiting=0"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stderr=errors,
        text=True,
        start_new_session=True,  # a group of its own, to be killed as one
    )


def killed_at_random_moments(folder: Path, moments: int, *, with_workers: bool) -> None:
    """Kill a server again and again, and look at what has become of its jobs.

    Args:
        with_workers: Its workers die with it, as when a machine loses its power.
    """
    dice, port, share = random.Random(moments), free_port(), folder / "share"
    struck = 0
    with (folder / "errors.txt").open("w") as errors:
        process = start(share, port, errors)
        studio = studio_in(share)
        try:
            with Client(port, random.Random(-moments)) as client:
                for _ in range(moments):
                    live_on(studio, process, dice)
                    assert process.poll() is None, (folder / "errors.txt").read_text()
                    struck += studio.jobs.counts()[State.RUNNING]
                    # not yet waited for, so that the number is still its own
                    (os.killpg if with_workers else os.kill)(process.pid, signal.SIGKILL)
                    process.wait()
                    process = start(share, port, errors)
            until_ended(studio, process)
            process.send_signal(signal.SIGINT)
            process.wait(60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert client.faults == []
    assert sum(studio.jobs.counts().values()) == len(client.jobs)  # asked twice, done once
    for job, recipe in client.jobs.items():
        check(studio, job, recipe, may_fail=with_workers)
    if with_workers:  # a file may lie there half written
        repair(studio)
    assert inspect(studio).is_clean, inspect(studio)
    turns = [studio.jobs.get(job).turn for job in client.jobs]
    deaths = sum(studio.jobs.get(job).deaths for job in client.jobs)
    print(f"{moments} kills, {struck} while a job ran; {client.unanswered} requests unanswered")
    print(f"{len(turns)} jobs, {sum(t > 1 for t in turns)} begun again, {deaths} worker deaths")
    assert struck > moments // 3  # or nothing was tried
    assert len(turns) > moments // 2
    studio.close()


def live_on(studio: Studio, process: subprocess.Popen[str], dice: random.Random) -> None:
    """Let a server live until a random moment: of its start, or of a job that it has begun."""
    if dice.random() < EARLY:
        time.sleep(dice.uniform(0, STARTING_SECONDS))
        return
    before, end = latest_event(studio.database), time.monotonic() + END_SECONDS
    while not any(begins(event) for event in read_events(studio.database, before, kind="state")):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(dice.uniform(0, RUNNING_SECONDS))


def begins(event: JobEvent) -> bool:
    return event.data["state"] == State.RUNNING


def until_ended(studio: Studio, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + END_SECONDS
    while any(n for state, n in studio.jobs.counts().items() if state not in ENDED):
        assert time.monotonic() < end, studio.jobs.counts()
        assert process.poll() is None
        time.sleep(0.1)


def check(studio: Studio, job: str, recipe: dict[str, Any], *, may_fail: bool) -> None:
    """One job: it ended once, and each of its pictures is in the gallery once."""
    found, made = studio.jobs.get(job), studio.gallery.made_by(job)
    events = read_events(studio.database, job=job)
    assert sum(e.kind == "state" and e.data["state"] in ENDED for e in events) == 1
    told = [e.data["artifact"] for e in events if e.kind == "picture"]
    assert sorted(told) == sorted(made.values())
    assert all(studio.store.holds(name) for name in made.values())
    if may_fail and found.deaths >= MAX_DEATHS:
        assert found.state is State.FAILED
        return
    assert found.state is State.DONE, found
    assert may_fail or found.deaths == 0  # nobody but the server was killed
    assert list(made) == list(range(recipe["count"]))
    seeds = [studio.gallery.get(made[i]).seed for i in made]
    assert seeds == [str(recipe["seed"] + i) for i in made]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_server_killed_at_fifty_moments(tmp_path: Path) -> None:
    killed_at_random_moments(tmp_path, 50, with_workers=False)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_server_killed_with_its_workers(tmp_path: Path) -> None:
    killed_at_random_moments(tmp_path, 15, with_workers=True)
