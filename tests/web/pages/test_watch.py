"""A job is followed through everything that it becomes."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from phosphene.core.errors import NotFound
from phosphene.studio.job_events import read_events
from phosphene.web.pages.watch import Moment, Watch, spoken, told
from tests.studio.studios import hang, picture, studio_in, wanted
from tests.web.pages.visitor import finish, preview, step, take


@pytest.mark.slow
def test_a_job_from_the_queue_to_its_picture(tmp_path):
    studio = studio_in(tmp_path)
    first, second = (studio.jobs.submit(wanted(p)) for p in ("fox", "owl"))
    watch = Watch(studio, second.id)
    assert told(watch) == ""
    assert watch.look()
    assert not watch.look()
    assert told(watch) == "Waiting, 1 before it"
    studio.jobs.cancel(first.id)
    assert watch.look()
    assert told(watch) == "Next in the queue"
    held = take(studio)
    watch.look()
    assert told(watch) == "Getting ready"
    step(studio, held, 2, 8, preview())
    step(studio, held, 3, 8)
    watch.look()
    assert told(watch) == "Painting, step 3 of 8"
    assert watch.scalars["loss"] == pytest.approx(1 / 3)
    (moment,) = watch.moments
    assert (moment.step, moment.picture) == (2, "")
    assert moment.address(second.id) == f"/api/jobs/{second.id}/previews/{moment.event}"
    name = hang(studio, picture("owl"))
    finish(studio, held, name)
    watch.look()
    assert watch.has_ended
    assert watch.pictures == [name]
    assert watch.moments[-1] == Moment(3, picture=name)
    assert watch.moments[-1].address(second.id) == f"/api/gallery/{name}/image"
    assert told(watch).startswith("Done in ")
    again = Watch(studio, second.id)
    again.look()
    assert again.moments == watch.moments
    studio.close()


def test_what_else_a_job_can_become(tmp_path):
    studio = studio_in(tmp_path)
    job = studio.jobs.submit(wanted())
    watch = Watch(studio, job.id)
    studio.jobs.pause(job.id)
    watch.look()
    assert told(watch) == "Paused"
    studio.jobs.resume(job.id)
    held = take(studio)
    studio.jobs.cancel(job.id)
    watch.look()
    assert told(watch) == "Stopping"
    studio.leases.fail(held, ValueError("it broke"))
    watch.look()
    assert told(watch).startswith("Failed: ") or told(watch) == "Cancelled"
    with pytest.raises(NotFound):
        Watch(studio, "none").look()
    studio.close()


def test_lengths_of_time():
    assert [spoken(s) for s in (0.2, 14.4, 300, 9000)] == ["1 s", "14 s", "5 min", "2.5 h"]


def test_looks_at_once_read_everything_once(tmp_path, monkeypatch):
    studio = studio_in(tmp_path)
    job = studio.jobs.submit(wanted())
    finish(studio, take(studio), hang(studio, picture("fox")))

    def slowly(*what):
        found = read_events(*what)
        time.sleep(0.1)  # in which another look begins
        return found

    monkeypatch.setattr("phosphene.web.pages.watch.read_events", slowly)
    watch = Watch(studio, job.id)
    with ThreadPoolExecutor(1) as thread:
        look = thread.submit(watch.look)
        while not look.done():
            assert not watch.has_ended or watch.pictures  # never done, and nothing painted
            time.sleep(0.001)
    watch = Watch(studio, job.id)
    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(lambda _: watch.look(), range(4))) == [False, False, False, True]
    assert len(watch.pictures) == 1
    studio.close()
