"""Server-sent events: endless streams that end when the server does."""

import asyncio
import time

from phosphene.web import streams
from phosphene.web.streams import Bell, stream
from tests.studio.studios import studio_in, wanted


def test_a_stream_of_all_goes_on_until_the_server_closes(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(streams, "COMMENT_SECONDS", 0.05)
    studio, closing = studio_in(tmp_path), []

    async def watch() -> list[str]:
        seen = []
        async for text in stream(Bell(studio.database), 0, None, lambda: bool(closing)):
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
    studio.close()


def test_many_streams_ask_the_database_once(tmp_path, monkeypatch):
    studio, asked = studio_in(tmp_path), []

    def latest(database):
        asked.append(time.monotonic())
        return 0

    monkeypatch.setattr(streams, "latest_event", latest)
    monkeypatch.setattr(streams, "LOOK_SECONDS", 60.0)

    async def many() -> None:
        bell = Bell(studio.database)
        await asyncio.gather(*(bell.latest() for _ in range(50)))

    asyncio.run(many())
    assert len(asked) == 1
    studio.close()
