"""Writing that never leaves half a file: temporary file, fsync, rename. Knows no format."""

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from phosphene.core.errors import RecipeError, StorageError


def storage_error(path: Path, error: OSError) -> StorageError:
    """Say in one line why `path` could not be written."""
    reasons = {
        errno.ENOSPC: "the disk is full; free some space and try again",
        errno.EDQUOT: "your disk quota is used up; free some space and try again",
        errno.EACCES: "permission denied; choose another folder",
        errno.EPERM: "permission denied; choose another folder",
        errno.EROFS: "the file system is read-only; choose another folder",
    }
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return StorageError(f"cannot write {str(path)!r}: {reason}")


def make_folder(path: Path) -> Path:
    """Create a folder and its parents.

    Raises:
        StorageError: it cannot be created, or a file is in the way.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(path, error) from None
    return path


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place in one step.

    Readers see the old file or the new one, never a part; on any error the old one stays.

    Raises:
        StorageError: disk full, folder not writable.
    """
    make_folder(path.parent)
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        # not tempfile: its files are private, and widening them needs the process-wide umask
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        write(temporary)
        with temporary.open("r+b") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from None
    finally:
        with contextlib.suppress(OSError):  # it never came to be, or is in place already
            temporary.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, all or nothing."""

    def fill(temporary: Path) -> None:
        temporary.write_bytes(data)

    write_atomic(path, fill)


def _sync_folder(folder: Path) -> None:
    # some systems cannot sync a folder; the file itself is complete and in place by now
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `out` when the block is through, and vanishes if it is not.

    Raises:
        RecipeError: `out` is there and not an empty folder.
        StorageError: the disk is full or `out` cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RecipeError(f"{str(out)!r} is not an empty folder; choose another, or delete it")
    make_folder(out.parent)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise storage_error(out, error) from None
    try:
        yield temporary
        temporary.chmod(0o755)
        if out.exists():
            out.rmdir()
        temporary.replace(out)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise storage_error(out, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
