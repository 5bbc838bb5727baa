"""A hub on this machine: the endpoints that phosphene asks, over repositories given as bytes.

GET  /api/models/REPO/revision/REV      what a repository holds, and at which commit
HEAD, GET /REPO/resolve/COMMIT/FILE     a file: weights by redirect, as from the hub's own store
GET  /api/models/REPO/discussions       pull requests
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Repositories by name.

    Args:
        revisions: By (repo, revision): the commit.
        files: By (repo, commit): content by name.
        asked: What was asked for, in order.
    """

    def __init__(self) -> None:
        self.revisions: dict[tuple[str, str], str] = {}
        self.files: dict[tuple[str, str], dict[str, bytes]] = {}
        self.requests: dict[str, list[dict[str, Any]]] = {}
        self.gated: set[str] = set()
        self.asked: list[str] = []
        self.endpoint = ""

    def add(
        self, repo: str, files: dict[str, bytes], revision: str = "main", commit: str = COMMIT
    ) -> None:
        """Put a revision into a repository."""
        self.revisions[repo, revision] = self.revisions[repo, commit] = commit
        self.files[repo, commit] = files


def is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".bin"))


def sibling(name: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": "0" * 40}
    if is_large(name):
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
    return entry


class Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_GET(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")
        path = unquote(urlsplit(self.path).path)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/(.+)", path):
            self.info(found[1], found[2])
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)", path):
            self.info(found[1], "main")
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/discussions", path):
            listed = self.hub.requests.get(found[1], [])
            self.say({"discussions": listed, "count": len(listed), "start": 0})
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([0-9a-f]{40})/(.+)", path):
            self.file(found[1], found[2], found[3])
        elif found := re.fullmatch(r"/store/([^/]+/[^/]+)/([0-9a-f]{40})/(.+)", path):
            self.answer(200, self.hub.files[found[1], found[2]][found[3]])
        else:
            self.answer(404)

    do_HEAD = do_GET  # noqa: N815

    def info(self, repo: str, revision: str) -> None:
        commit = self.hub.revisions.get((repo, revision))
        if commit is None:
            known = any(repo == name for name, _ in self.hub.revisions)
            self.answer(404, error="RevisionNotFound" if known else "RepoNotFound")
            return
        files = self.hub.files[repo, commit]
        self.say(
            {
                "id": repo,
                "sha": commit,
                "siblings": [sibling(name, content) for name, content in files.items()],
                "cardData": {"license": "mit", "datasets": ["pictures", "words"]},
            }
        )

    def file(self, repo: str, commit: str, name: str) -> None:
        content = self.hub.files[repo, commit].get(name)
        if content is None:
            self.answer(404, error="EntryNotFound")
        elif repo in self.hub.gated and is_large(name):
            self.answer(403, error="GatedRepo")
        elif is_large(name):
            self.answer(302, location=f"{self.hub.endpoint}/store/{repo}/{commit}/{name}")
        else:
            self.answer(200, content, commit=commit)

    def say(self, value: Any) -> None:
        self.answer(200, json.dumps(value).encode(), kind="application/json")

    def answer(self, status: int, content: bytes = b"", **extra: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", extra.get("kind", "application/octet-stream"))
        self.send_header("X-Repo-Commit", extra.get("commit", COMMIT))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        if "error" in extra:
            self.send_header("X-Error-Code", extra["error"])
        if "location" in extra:
            self.send_header("Location", extra["location"])
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def serving() -> Iterator[FakeHub]:
    """Run a hub on a free port of this machine."""
    hub = FakeHub()
    kind = type("Handler", (Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


def point_client_to(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let huggingface_hub ask this hub, as HF_ENDPOINT does before it is imported."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
