"""Downloads against a server on this machine that cuts, lies, forgets and refuses."""

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from phosphene.core.errors import HashMismatch, StorageError, WeightsError
from phosphene.zoo import download as module
from phosphene.zoo.download import Progress, Wanted, download

CONTENT = os.urandom(700_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Behaviour:
    """What the server does; tests change it."""

    content: bytes = CONTENT
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)  # bytes sent before each cut connection
    status: int = 200
    redirect: str = ""
    asked: list[str | None] = field(default_factory=list)


class Server(ThreadingHTTPServer):
    behaviour: Behaviour


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        b = self.server.behaviour
        asked = self.headers.get("Range")
        b.asked.append(asked)
        if b.redirect or b.status >= 400:
            self.send_response(302 if b.redirect else b.status)
            self.send_header("Location", b.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and b.ranges else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(b.content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(b.content) - 1}/*")
        self.end_headers()
        body = b.content[start:]
        self.wfile.write(body[: b.cut_after.pop(0)] if b.cut_after else body)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            return  # the client stopped listening, as it may

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.behaviour = Behaviour()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def wanted(server: Server, sha256: str = SHA256, size: int = len(CONTENT)) -> Wanted:
    return Wanted("m", f"http://127.0.0.1:{server.server_port}/m.bin", sha256, size)


def fetch(wanted: Wanted, target: Path, retries: int = 2) -> list[Progress]:
    return list(download(wanted, target, retries=retries, wait_seconds=0.001))


def test_whole(server: Server, tmp_path: Path) -> None:
    steps = fetch(wanted(server), tmp_path / "deep" / "m")
    assert (tmp_path / "deep" / "m").read_bytes() == CONTENT
    assert [s.done for s in steps] == sorted(s.done for s in steps)
    assert steps[-1] == Progress("m", len(CONTENT), len(CONTENT))
    assert os.listdir(tmp_path / "deep") == ["m"]


def test_cut_connections_are_taken_up_where_they_broke(server: Server, tmp_path: Path) -> None:
    server.behaviour.cut_after = [300_000, 100_000, 0]
    fetch(wanted(server), tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == CONTENT
    assert server.behaviour.asked == [
        None,
        "bytes=300000-",
        "bytes=400000-",
        "bytes=400000-",
    ]


def test_giving_up_keeps_the_part_for_the_next_time(server: Server, tmp_path: Path) -> None:
    server.behaviour.cut_after = [300_000, 0, 0, 0]
    with pytest.raises(WeightsError, match="300,000 of 700,000 bytes are here") as caught:
        fetch(wanted(server), tmp_path / "m")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["m.part"]
    server.behaviour.cut_after = []
    fetch(wanted(server), tmp_path / "m")
    assert server.behaviour.asked[-1] == "bytes=300000-"
    assert (tmp_path / "m").read_bytes() == CONTENT


def test_closing_the_iterator_stops_and_keeps_the_part(server: Server, tmp_path: Path) -> None:
    steps = download(wanted(server), tmp_path / "m")
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert 0 < (tmp_path / "m.part").stat().st_size < len(CONTENT)
    fetch(wanted(server), tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_it_all_again(server: Server, tmp_path: Path) -> None:
    server.behaviour.ranges = False
    server.behaviour.cut_after = [300_000]
    fetch(wanted(server), tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == CONTENT


def test_wrong_hash_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(HashMismatch, match="its card says 0000"):
        fetch(wanted(server, sha256="0" * 64), tmp_path / "m")
    assert os.listdir(tmp_path) == []


def test_a_stale_part_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "m.part").write_bytes(b"of another version")
    with pytest.raises(HashMismatch):
        fetch(wanted(server), tmp_path / "m")
    assert os.listdir(tmp_path) == []
    fetch(wanted(server), tmp_path / "m")


def test_too_much_is_cut_off(server: Server, tmp_path: Path) -> None:
    server.behaviour.content = CONTENT * 3
    fetch(wanted(server), tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == CONTENT


def test_too_little(server: Server, tmp_path: Path) -> None:
    server.behaviour.content = CONTENT[:1000]
    with pytest.raises(WeightsError, match="1,000 of 700,000"):
        fetch(wanted(server), tmp_path / "m")


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, 3), (429, 3)])
def test_refusals(server: Server, tmp_path: Path, status: int, tries: int) -> None:
    server.behaviour.status = status
    with pytest.raises(WeightsError, match=f"the server answers {status}"):
        fetch(wanted(server), tmp_path / "m")
    assert len(server.behaviour.asked) == tries
    assert os.listdir(tmp_path) == []


def test_no_server(server: Server, tmp_path: Path) -> None:
    gone = Wanted("m", "http://127.0.0.1:9/m", SHA256, len(CONTENT))
    with pytest.raises(WeightsError, match="cannot fetch 'm'"):
        fetch(gone, tmp_path / "m")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/m",
        "ftp://127.0.0.1/m",
        "data:,x",
        "m",
        "http://127.0.0.1.evil.org/m",
        "http://127.0.0.1@evil.org/m",
        "http://[::1",
    ],
)
def test_addresses_that_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(WeightsError):
        fetch(Wanted("m", url, SHA256, 3), tmp_path / "m")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://x.org/"])
def test_redirects_that_are_refused(server: Server, tmp_path: Path, target: str) -> None:
    server.behaviour.redirect = target
    with pytest.raises(WeightsError):
        fetch(wanted(server), tmp_path / "m", retries=0)
    assert os.listdir(tmp_path) == []


def test_file_address(tmp_path: Path) -> None:
    source = tmp_path / "source file"
    source.write_bytes(CONTENT)
    (tmp_path / "m.part").write_bytes(CONTENT[:10])
    fetch(Wanted("m", source.as_uri(), SHA256, len(CONTENT)), tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == CONTENT


def test_two_at_once(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    first = download(wanted(server), tmp_path / "m")
    next(first)
    with pytest.raises(WeightsError, match="another process is fetching"):
        fetch(wanted(server), tmp_path / "m")
    list(first)
    assert (tmp_path / "m").read_bytes() == CONTENT


def test_no_room(server: Server, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="PHOSPHENE_HOME"):
        fetch(wanted(server, size=2**62), tmp_path / "m")
    assert os.listdir(tmp_path) == []


def test_unwritable(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        fetch(wanted(server), tmp_path / "file" / "m")


def test_disk_fills_while_writing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    monkeypatch.setattr(module, "CHUNK_BYTES", 4096)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        with pytest.raises(StorageError, match="cannot write"):
            fetch(wanted(server), tmp_path / "m")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
