"""Workers' side of the queue: jobs are begun as often as needed, and end once."""

import os
import socket
import subprocess
import sys

import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.job import State
from phosphene.studio.job_events import read_events
from phosphene.studio.leases import (
    LEASE_SECONDS,
    MAX_DEATHS,
    LeaseLost,
    Pace,
    is_gone,
    name_worker,
)
from tests.studio.studios import wanted

FAR = "elsewhere:1:a"  # a worker of another machine: whether it lives cannot be seen


def ended(studio, job: str) -> list[str]:
    states = [e.data["state"] for e in read_events(studio.database, job=job) if e.kind == "state"]
    return [state for state in states if state in ("done", "failed", "cancelled")]


def test_a_job_is_taken_by_one_worker_and_ends_once(studio, clock):
    job = studio.jobs.submit(wanted()).id
    claimed, held = studio.leases.claim(FAR)
    assert (claimed.id, claimed.state, claimed.turn) == (job, State.RUNNING, 1)
    assert studio.leases.claim("elsewhere:2:b") is None
    clock.now += 5
    studio.leases.finish(held, Pace(1.5, 0.25))
    done = studio.jobs.get(job)
    assert (done.state, done.ended, done.worker) == (State.DONE, clock.now, None)
    for again in (studio.leases.finish, studio.leases.give_back, studio.leases.extend):
        with pytest.raises(LeaseLost):
            again(held)
    with pytest.raises(LeaseLost):
        studio.leases.fail(held, RecipeError("no"))
    assert ended(studio, job) == ["done"]


def test_a_lease_that_is_extended_is_kept_and_one_that_is_not_is_lost(studio, clock):
    job = studio.jobs.submit(wanted()).id
    _, held = studio.leases.claim(FAR)
    clock.now += LEASE_SECONDS - 1
    studio.leases.extend(held)
    clock.now += LEASE_SECONDS - 1
    assert studio.leases.reclaim() == []
    clock.now += 2
    assert studio.leases.reclaim() == [job]
    _, next_held = studio.leases.claim("elsewhere:2:b")
    with pytest.raises(LeaseLost):  # it was only slow, and comes too late
        studio.leases.finish(held)
    studio.leases.finish(next_held)
    assert ended(studio, job) == ["done"]


def test_the_same_worker_in_another_turn_does_not_hold_it(studio, clock):
    studio.jobs.submit(wanted())
    _, first = studio.leases.claim(FAR)
    studio.leases.give_back(first)
    _, second = studio.leases.claim(FAR)
    with pytest.raises(LeaseLost):
        studio.leases.finish(first)
    studio.leases.finish(second)


def test_a_job_that_kills_three_workers_has_failed(studio):
    job = studio.jobs.submit(wanted()).id
    for deaths in range(1, MAX_DEATHS + 1):
        studio.leases.claim(FAR)
        assert studio.leases.reclaim({FAR: "it was killed by SIGSEGV"}) == [job]
        assert studio.jobs.get(job).deaths == deaths
    failed = studio.jobs.get(job)
    assert (failed.state, failed.error_type) == (State.FAILED, "WorkerDied")
    assert failed.error == "3 workers died of it, the last one because it was killed by SIGSEGV"
    assert studio.leases.claim(FAR) is None
    assert ended(studio, job) == ["failed"]


def test_giving_back_on_purpose_costs_no_life(studio):
    job = studio.jobs.submit(wanted()).id
    for _ in range(MAX_DEATHS + 1):
        _, held = studio.leases.claim(FAR)
        studio.leases.give_back(held)
    assert (studio.jobs.get(job).state, studio.jobs.get(job).deaths) == (State.QUEUED, 0)


@pytest.mark.parametrize("wish", ["pause", "cancel"])
def test_a_wish_outlives_the_worker(studio, wish):
    job = studio.jobs.submit(wanted()).id
    studio.leases.claim(FAR)
    getattr(studio.jobs, wish)(job)
    studio.leases.reclaim({FAR: "it died"})
    assert str(studio.jobs.get(job).state) == {"pause": "paused", "cancel": "cancelled"}[wish]


def test_a_failure_says_why_in_one_line(studio):
    job = studio.jobs.submit(wanted()).id
    _, held = studio.leases.claim(FAR)
    studio.leases.fail(held, RecipeError("no such\nmodel"))
    failed = studio.jobs.get(job)
    assert (failed.state, failed.error_type, failed.error) == (
        State.FAILED,
        "RecipeError",
        "no such model",
    )


def test_what_a_worker_holds(studio):
    studio.jobs.submit(wanted())
    assert studio.leases.held_by(FAR) == []
    _, held = studio.leases.claim(FAR)
    assert studio.leases.held_by(FAR) == [held]


def test_a_process_of_this_machine_that_ended_is_gone(studio):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    gone = name_worker(process.pid, "a")
    assert is_gone(gone)
    assert not is_gone(name_worker(os.getpid(), "a"))
    assert not is_gone(gone.replace(socket.gethostname(), "elsewhere"))
    job = studio.jobs.submit(wanted()).id
    studio.leases.claim(gone)
    assert studio.leases.reclaim() == [job]  # without waiting for the lease
