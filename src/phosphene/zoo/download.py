"""Downloading one file of a known sha256, resuming where a connection broke. Imports no torch.

The file grows under a `.part` name and gets its own only once its hash was right. A wrong hash
leaves nothing behind; a broken connection leaves the part, for the next try to continue.
"""

import http.client
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from phosphene.core.checksum import check_sha256, sha256_of
from phosphene.core.errors import HashMismatch, StorageError, WeightsError
from phosphene.core.files import make_folder, storage_error

try:
    import fcntl
except ImportError:  # Windows: two pulls at once would end in a HashMismatch, no worse
    fcntl = None  # type: ignore[assignment]

CHUNK_BYTES = 2**18
TIMEOUT_SECONDS = 30.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")
TRY_AGAIN = (408, 429)


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of a download, in bytes; in the last one `done` equals `total`."""

    name: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to download.

    Args:
        name: The model it is for.
        url: https or file; http for this machine alone.
        size: Its length in bytes; a server that sends more is cut off there.
    """

    name: str
    url: str
    sha256: str
    size: int


def download(
    wanted: Wanted, target: Path, retries: int = 4, wait_seconds: float = 1.0
) -> Iterator[Progress]:
    """Fetch a file to `target`; closing the iterator stops and keeps the part.

    Args:
        retries: How many tries in a row may bring nothing before giving up.
        wait_seconds: Pause before the second of them, doubled each time.
    Raises:
        HashMismatch: what came is not what the card promises; it is deleted.
        WeightsError: no connection, refused, not https, or another process is at it.
        StorageError: disk full, folder not writable.
    """
    _check_address(wanted.url)
    part = target.with_name(target.name + ".part")
    with _exclusive(part) as file:
        check_space(part.parent, wanted.size - _length(file))
        idle = 0
        while _length(file) < wanted.size:
            before, reason = _length(file), "the connection broke"
            try:
                yield from _receive(wanted, file, part)
            except (OSError, http.client.HTTPException) as error:
                reason = _reason(wanted, error)
            idle = 0 if _length(file) > before else idle + 1
            if idle > retries:
                came = f"{_length(file):,} of {wanted.size:,} bytes are here"
                raise _failed(wanted, f"{reason}; {came}, another try continues there")
            if idle > 1:
                time.sleep(wait_seconds * 2 ** (idle - 2))
    _accept(wanted, part, target)
    yield Progress(wanted.name, wanted.size, wanted.size)


def check_space(folder: Path, needed: int) -> None:
    """Check that a folder's disk has room for `needed` bytes.

    Raises:
        StorageError: it has not.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"{str(folder)!r} has {free:,} bytes free, {needed:,} are needed; "
            "free some space or set PHOSPHENE_HOME to another disk"
        )


def _accept(wanted: Wanted, part: Path, target: Path) -> None:
    """Give the whole part its own name, if its hash is right."""
    try:
        check_sha256(sha256_of(part), wanted.sha256, wanted.url)
    except HashMismatch:
        part.unlink()
        raise
    try:
        part.replace(target)
    except OSError as error:
        raise storage_error(target, error) from None


def _receive(wanted: Wanted, file: FileIO, part: Path) -> Iterator[Progress]:
    """Append what one connection brings."""
    headers = {"User-Agent": "phosphene", "Accept-Encoding": "identity"}
    if start := _length(file):
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(wanted.url, headers=headers)
    opener = urllib.request.build_opener(_SafeRedirects)
    with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
        span = response.headers.get("Content-Range") or ""
        if start and not span.startswith(f"bytes {start}-"):
            file.truncate(0)  # the server knows no ranges and sends all of it again
        done = _length(file)
        while done < wanted.size:
            chunk = response.read(min(CHUNK_BYTES, wanted.size - done))
            if not chunk:
                return
            try:
                file.write(chunk)
            except OSError as error:
                raise storage_error(part, error) from None
            done += len(chunk)
            if done < wanted.size:
                yield Progress(wanted.name, done, wanted.size)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where a card's own address might point."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        _check_address(newurl, local=False)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(url: str, local: bool = True) -> None:
    try:
        parts = urllib.parse.urlsplit(url)
        loopback = parts.scheme == "http" and parts.hostname in LOOPBACK
    except ValueError:
        raise WeightsError(f"{url[:200]!r} is not an address") from None
    if not (parts.scheme == "https" or loopback or (local and parts.scheme == "file")):
        raise WeightsError(f"weights are fetched by https, not from {url[:200]!r}")


def _reason(wanted: Wanted, error: Exception) -> str:
    """Say why a try failed; raise at once if another try cannot help."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        reason = f"the server answers {error.code} {error.reason}"
        if error.code < 500 and error.code not in TRY_AGAIN:
            raise _failed(wanted, reason)
        return reason
    return str(getattr(error, "reason", error)) or type(error).__name__


def _failed(wanted: Wanted, reason: str) -> WeightsError:
    line = " ".join(reason.split())[:300]
    return WeightsError(f"cannot fetch {wanted.name!r} from {wanted.url}: {line}")


@contextmanager
def _exclusive(part: Path) -> Iterator[FileIO]:
    """Open the part for appending, unbuffered and for this process alone; no empty part stays."""
    make_folder(part.parent)
    try:
        file = part.open("ab", buffering=0)
    except OSError as error:
        raise storage_error(part, error) from None
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise WeightsError(
                    f"another process is fetching {str(part)!r}; wait for it"
                ) from None
        try:
            yield file
        finally:
            if _length(file) == 0:
                part.unlink(missing_ok=True)


def _length(file: Any) -> int:
    return os.fstat(file.fileno()).st_size
