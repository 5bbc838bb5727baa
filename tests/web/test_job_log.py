"""One record for each thing that a job becomes."""

import logging

import pytest

from phosphene.studio.job import State
from phosphene.studio.leases import MAX_DEATHS
from phosphene.web import job_log as module
from phosphene.web.job_log import JobLog
from tests.studio.studios import Clock, studio_in, wanted


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def studio(tmp_path, clock):
    made = studio_in(tmp_path, clock)
    yield made
    made.close()


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, "phosphene")
    return lambda: [(r.levelname, r.fields) for r in caplog.records if r.msg == "job"]


def test_what_a_job_becomes(studio, clock, told):
    early = studio.jobs.submit(wanted("before"))
    studio.jobs.cancel(early.id)
    log = JobLog(studio)
    job = studio.jobs.submit(wanted("secret words")).id
    _, held = studio.leases.claim("elsewhere:1:a")
    clock.now += 2.5
    studio.leases.give_back(held, State.PAUSED)
    studio.jobs.resume(job)
    log.look()
    log.look()
    said = {"job": job, "kind": "imagine"}
    assert told() == [
        ("INFO", {**said, "state": "queued"}),
        ("INFO", {**said, "state": "running"}),
        ("INFO", {**said, "state": "paused", "seconds": 2.5}),
        ("INFO", {**said, "state": "queued"}),
    ]


def test_an_error_is_told_by_its_name(studio, told):
    log = JobLog(studio)
    studio.jobs.submit(wanted("secret words"))
    _, held = studio.leases.claim("elsewhere:1:a")
    studio.leases.fail(held, ZeroDivisionError("secret words"))
    log.look()
    level, last = told()[-1]
    assert (level, last["state"], last["error_type"]) == ("WARNING", "failed", "ZeroDivisionError")
    assert "secret" not in str(told())


def test_workers_that_died_are_counted(studio, told):
    log = JobLog(studio)
    studio.jobs.submit(wanted())
    for _ in range(MAX_DEATHS):
        _, held = studio.leases.claim("elsewhere:1:a")
        studio.leases.reclaim({held.worker: "of something"})
    log.look()
    deaths = [entry["deaths"] for _, entry in told() if "deaths" in entry]
    assert deaths == [1, 2, 3]
    assert told()[-1][1]["error_type"] == "WorkerDied"


def test_no_more_is_read_at_once_than_fits(studio, told, monkeypatch):
    monkeypatch.setattr(module, "MAX_READ", 2)
    whole = module.read_events
    monkeypatch.setattr(module, "read_events", lambda *a, **k: whole(*a, limit=2, **k))
    log = JobLog(studio)
    names = [studio.jobs.submit(wanted(seed=i)).id for i in range(5)]
    log.look()
    assert [entry["job"] for _, entry in told()] == names


def test_it_follows_until_it_is_stopped(studio, told):
    log = JobLog(studio)
    log.start()
    job = studio.jobs.submit(wanted()).id
    log.stop()
    assert [entry["job"] for _, entry in told()] == [job]


def test_it_does_not_read_where_nobody_listens(studio, caplog):
    caplog.set_level(logging.WARNING, "phosphene")
    log = JobLog(studio)
    log.start()
    assert not log._thread.is_alive()
    log.stop()
