"""Waiting for pictures: until they are there, or for as long as there is patience."""

import pytest

from phosphene.studio.job import State
from phosphene.studio.leases import Pace
from phosphene.web.orders import failure_of, give_up, pictures_of
from tests.studio.studios import wanted
from tests.web.painters import painting
from tests.web.served import error_of, served, studio_of

ASK = {"prompt": "fox"}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr("phosphene.web.streams.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("phosphene.web.streams.BEAT_SECONDS", 0.01)


def test_who_has_waited_for_too_long_leaves_no_job(tmp_path):
    with served(tmp_path, patience=0.05) as client:
        response = client.post("/v1/images/generations", json=ASK)
        assert (response.status_code, error_of(response)["code"]) == (503, "still_painting")
        assert int(response.headers["retry-after"]) >= 1
        assert client.get("/api/jobs").json()[0]["state"] == "cancelled"


def test_a_server_that_stops_says_so_and_keeps_the_job(tmp_path):
    with served(tmp_path) as client:
        client.app.state.house.is_closing = lambda: True
        response = client.post("/v1/images/generations", json=ASK)
        assert (response.status_code, error_of(response)["code"]) == (503, "closing")
        assert client.get("/api/jobs").json()[0]["state"] == "queued"


def test_a_cancelled_job_is_said(client):
    with painting(client):
        studio = studio_of(client)
        job = studio.jobs.submit(wanted("wait"))
        give_up(client.app.state.house, job.id)
        give_up(client.app.state.house, job.id)
        give_up(client.app.state.house, "nobody")
    refused = failure_of(studio.jobs.get(job.id))
    assert (refused.status, refused.code) == (409, "cancelled")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("Unsupported", 400, "unsupported"),
        ("UnknownModel", 400, "unknown_model"),
        ("WeightsError", 500, "job_failed"),
        ("ZeroDivisionError", 500, "job_failed"),
        ("did_you_mean", 500, "job_failed"),
    ],
)
def test_whose_fault_it_was(client, name, status, code):
    studio = studio_of(client)
    job = studio.jobs.submit(wanted())
    assert failure_of(job).status == 503  # it has not ended
    _, held = studio.leases.claim("elsewhere:1:a")
    studio.leases.fail(held, type(name, (Exception,), {})("why"))
    refused = failure_of(studio.jobs.get(job.id))
    assert (refused.status, refused.code) == (status, code)
    assert "why" in refused.message
    assert pictures_of(client.app.state.house, job.id) == []


def test_what_was_done_before_anybody_watched_is_seen(client):
    studio = studio_of(client)
    job = studio.jobs.submit(wanted())
    _, held = studio.leases.claim("elsewhere:1:a")
    studio.leases.finish(held, Pace(1.0, 1.0))
    assert studio.jobs.get(job.id).state is State.DONE
    assert client.get(f"/api/jobs/{job.id}/events").text.count("event: state") == 3
