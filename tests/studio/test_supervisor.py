"""The supervisor: workers that die are replaced, their jobs go on, and nobody is left behind."""

import os
import signal
import time

import pytest

from phosphene.studio import supervisor as module
from phosphene.studio.job import State
from phosphene.studio.job_events import read_events
from phosphene.studio.recipe import Sample
from phosphene.studio.supervisor import Supervisor
from phosphene.studio.worker import Post, Quit
from phosphene.zoo import home as models
from tests.studio.studios import studio_in, wanted


def takes_and_waits(post: Post, quits: Quit) -> None:
    """A worker that takes a job, and is stuck with it."""
    from phosphene.studio.leases import name_worker

    studio = studio_in(post.share)
    studio.leases.claim(name_worker(os.getpid(), post.token))
    while not quits.is_set():
        time.sleep(0.02)
    os._exit(0)


def cannot_start(post: Post, quits: Quit) -> None:
    os._exit(9)


def until(condition, seconds: float = 100.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture
def real(tmp_path):
    studio = studio_in(tmp_path)
    yield studio
    studio.close()


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_its_job_goes_on(real, monkeypatch):
    job = real.jobs.submit(wanted()).id
    supervisor = Supervisor(real, None, ["cpu"], models(), takes_and_waits)
    supervisor.start()
    try:
        until(lambda: real.jobs.get(job).state is State.RUNNING)
        ((device, pid),) = supervisor.workers()
        assert device == "cpu"
        os.kill(pid, signal.SIGKILL)
        until(lambda: real.jobs.get(job).turn == 2)
        assert supervisor.deaths() == 1
        assert supervisor.workers()[0][1] not in (None, pid)
        told = [e.data for e in read_events(real.database, job=job) if "died" in e.data]
        assert told[0]["died"] == "it was killed by SIGKILL; is memory short?"
    finally:
        supervisor.stop(5)
    # who held it on purpose to the end gives it back, and it costs no life
    assert (real.jobs.get(job).state, real.jobs.get(job).deaths) == (State.QUEUED, 1)
    assert supervisor.workers() == [("cpu", None)]


@pytest.mark.slow
def test_a_worker_that_cannot_start_is_not_started_all_the_time(real, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    supervisor = Supervisor(real, None, ["cpu"], models(), cannot_start)
    supervisor.start()
    try:
        until(lambda: supervisor.deaths() >= 4)
        desk = supervisor._desks[0]
        assert desk.not_before - time.monotonic() > 0.3
    finally:
        supervisor.stop(1)


@pytest.mark.slow
def test_a_real_worker_paints_and_stops(real):
    supervisor = Supervisor(real, None, ["cpu"], models())
    supervisor.start()
    try:
        job = real.jobs.submit(Sample(model="digits-cgan", count=2, seed=3)).id
        until(lambda: real.jobs.get(job).state is State.DONE)
        assert len(real.gallery.made_by(job)) == 2
    finally:
        supervisor.stop()
    assert supervisor.deaths() == 0
