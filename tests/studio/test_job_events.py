"""Events: in order, for one job or all, kept; whole with what they tell of."""

import pytest

from phosphene.core.errors import NotFound
from phosphene.studio.job_events import (
    latest_event,
    latest_preview,
    preview_of,
    read_events,
    tell,
    thin_out,
)
from tests.studio.studios import studio_in, wanted


def numbers(studio, job: str) -> list[int]:
    return [e.data["step"] for e in read_events(studio.database, job=job) if e.kind == "step"]


def add_steps(studio, job: str, steps) -> None:
    with studio.database.writing() as connection:
        for step in steps:
            tell(connection, job, "step", {"step": step}, 0.0, b"webp" if step == 2 else None)


def test_a_reader_goes_on_where_it_was(studio):
    a, b = studio.jobs.submit(wanted()).id, studio.jobs.submit(wanted()).id
    add_steps(studio, a, range(4))
    events = read_events(studio.database)
    assert [e.job for e in events] == [a, b, a, a, a, a]
    assert [e.id for e in events] == sorted(e.id for e in events)
    assert read_events(studio.database, after=events[3].id) == events[4:]
    assert read_events(studio.database, after=events[1].id, job=b) == []
    assert latest_event(studio.database) == events[-1].id
    assert read_events(studio.database, limit=2) == events[:2]
    states = [event for event in events if event.kind == "state"]
    assert 0 < len(states) < len(events)
    assert read_events(studio.database, kind="state") == states


def test_previews_belong_to_events(studio):
    job = studio.jobs.submit(wanted()).id
    add_steps(studio, job, range(4))
    events = read_events(studio.database, job=job)
    (shown,) = [e for e in events if e.has_preview]
    assert preview_of(studio.database, job, shown.id) == b"webp"
    for wrong in ((job, shown.id - 1), ("other", shown.id)):
        with pytest.raises(NotFound):
            preview_of(studio.database, *wrong)


def test_many_steps_are_thinned_out_and_the_last_one_stays(studio):
    job = studio.jobs.submit(wanted()).id
    add_steps(studio, job, range(9))
    with studio.database.writing() as connection:
        thin_out(connection, job, 9)
    assert numbers(studio, job) == list(range(9))
    with studio.database.writing() as connection:
        thin_out(connection, job, 8)
    assert numbers(studio, job) == [0, 2, 4, 6, 8]
    last = latest_event(studio.database)
    add_steps(studio, job, [9])
    assert latest_event(studio.database) > last  # no number is given twice


def test_the_latest_preview(tmp_path):
    studio = studio_in(tmp_path)
    job = studio.jobs.submit(wanted()).id
    assert latest_preview(studio.database, job) is None
    with studio.database.writing() as connection:
        for preview in (b"a", b"b", None):
            tell(connection, job, "step", {}, 0.0, preview)
    assert latest_preview(studio.database, job) == b"b"
    studio.close()
