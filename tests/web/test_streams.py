"""What happens, told to many: endless streams that end when the server does, and miss nothing."""

import asyncio
import json

import pytest

from phosphene.studio.job_events import tell
from phosphene.web import streams
from phosphene.web.streams import Herald, follow, message, stream
from tests.studio.studios import studio_in, wanted


@pytest.fixture
def studio(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.01)
    studio = studio_in(tmp_path)
    yield studio
    studio.close()


def happen(studio, job: str, number: int = 1) -> None:
    for step in range(number):
        with studio.database.writing() as connection:
            tell(connection, job, "step", {"step": step}, 0.0)


def test_a_stream_of_all_goes_on_until_the_server_closes(studio, monkeypatch):
    monkeypatch.setattr(streams, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(streams, "COMMENT_SECONDS", 0.05)
    closing = []

    async def watch() -> list[str]:
        seen = []
        async for text in stream(Herald(studio.database), 0, None, lambda: bool(closing)):
            seen.append(text)
            if len(seen) == 2:
                studio.jobs.submit(wanted())
            if text.startswith(": still") and len(seen) > 3:
                closing.append(True)
        return seen

    first = studio.jobs.submit(wanted()).id
    seen = asyncio.run(watch())
    assert seen[0] == "retry: 1000\n\n"
    assert f'"job": "{first}"' in seen[1]
    assert sum(text.startswith("id: ") for text in seen) == 2


def test_a_message_is_what_browsers_read():
    text = message("step", {"text": "é\n\n"}, 7)
    assert text == 'id: 7\nevent: step\ndata: {"text": "é\\n\\n"}\n\n'
    assert message("x", 1) == "event: x\ndata: 1\n\n"


def test_many_watchers_ask_the_database_no_more_often_than_one(studio, monkeypatch):
    real, asked = streams.read_events, []

    def counted(database, after=0, job=None):
        asked.append(job)
        return real(database, after, job)

    monkeypatch.setattr(streams, "read_events", counted)
    job = studio.jobs.submit(wanted()).id
    other = studio.jobs.submit(wanted()).id

    async def one(herald: Herald) -> list[int]:
        seen = []
        async for event in follow(herald, 0, job, bool):
            if event is not None:
                assert event.job == job
                seen.append(event.id)
        return seen

    async def many() -> list[list[int]]:
        herald = Herald(studio.database)
        watching = [asyncio.create_task(one(herald)) for _ in range(50)]
        while len([name for name in asked if name is not None]) < 50:
            await asyncio.sleep(0.01)
        for _ in range(20):
            happen(studio, job)
            happen(studio, other)
            await asyncio.sleep(0.01)
        studio.jobs.cancel(job)
        found = await asyncio.gather(*watching)
        # each has looked at what there was; what came then was read for all of them together
        assert len([name for name in asked if name is not None]) == 50
        assert herald._watchers == set()
        return found

    found = asyncio.run(many())
    assert [len(seen) for seen in found] == [22] * 50
    assert all(seen == sorted(set(seen)) for seen in found)


def test_who_is_slow_misses_nothing(studio, monkeypatch):
    monkeypatch.setattr(streams, "MAX_BEHIND", 5)
    job = studio.jobs.submit(wanted()).id

    async def slow() -> list[int]:
        seen = []
        async for event in follow(Herald(studio.database), 0, job, bool):
            if event is None:
                continue
            seen.append(event.id)
            if len(seen) == 1:
                await asyncio.sleep(0.1)
                happen(studio, job, 30)
                await asyncio.sleep(0.2)
                studio.jobs.cancel(job)
        return seen

    assert asyncio.run(slow()) == list(range(1, 33))


def test_a_database_that_is_busy_for_a_moment_ends_no_stream(studio, monkeypatch):
    real, left = streams.latest_event, [3]
    job = studio.jobs.submit(wanted()).id

    def busy(database):
        if left[0]:
            left[0] -= 1
            raise streams.PhospheneError("busy")
        return real(database)

    monkeypatch.setattr(streams, "latest_event", busy)

    async def watch() -> list[str]:
        seen = []
        async for event in follow(Herald(studio.database), 0, job, bool):
            if event is not None:
                seen.append(json.dumps(event.data))
                if len(seen) == 1:
                    studio.jobs.cancel(job)
        return seen

    assert asyncio.run(watch()) == ['{"state": "queued"}', '{"state": "cancelled"}']
    assert left == [0]


def test_what_happens_at_once_is_sent_at_once(studio):
    job = studio.jobs.submit(wanted()).id
    happen(studio, job, 30)
    studio.jobs.cancel(job)

    async def watch() -> list[str]:
        return [text async for text in stream(Herald(studio.database), 0, job, bool)]

    _, whole = asyncio.run(watch())
    assert whole.count("\n\n") == 32


def test_a_message_is_written_once(studio, monkeypatch):
    monkeypatch.setattr(streams, "MAX_TEXTS", 2)
    written = []
    real = streams.message

    def counted(*given):
        written.append(given)
        return real(*given)

    monkeypatch.setattr(streams, "message", counted)
    herald = Herald(studio.database)
    events = [streams.JobEvent(n, "a", "step", 0.0, {}, False) for n in range(3)]
    texts = [herald.text(event) for event in (*events, *events[1:])]
    assert (len(written), texts[1:3]) == (3, texts[3:])
    herald.text(events[0])
    assert (len(written), len(herald._texts)) == (4, 2)
