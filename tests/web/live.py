"""A server that listens, for clients of other people: in a thread of this process."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from phosphene.studio.studio import Studio
from phosphene.web.app import create_app
from phosphene.web.guard import Guard
from phosphene.web.house import Settings
from tests.web.painters import Painter


class Live:
    """Where a server is, and what is behind it."""

    def __init__(self, url: str, studio: Studio, painter: Painter) -> None:
        self.url, self.studio, self.painter = url, studio, painter


@contextmanager
def live(folder: Path, guard: Guard | None = None, **settings: Any) -> Iterator[Live]:
    """Serve a studio in a folder on a free port, with somebody who paints."""
    given = Settings(folder, folder / "home", devices=(), guard=guard or Guard(), **settings)
    server: uvicorn.Server
    app = create_app(given, lambda: server.should_exit)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            # its loggers are those of the whole process: other tests look at them
            uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5, ws="none")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        studio: Studio = app.state.house.studio
        try:
            with Painter(studio).at_work() as painter:
                yield Live(f"http://127.0.0.1:{bound.getsockname()[1]}", studio, painter)
        finally:
            server.should_exit = True
            thread.join(30)
