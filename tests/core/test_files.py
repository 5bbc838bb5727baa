"""Writing is all or nothing, and a failure is one clear line."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from phosphene.core.errors import RecipeError, StorageError
from phosphene.core.files import (
    make_folder,
    storage_error,
    whole_folder,
    write_atomic,
    write_bytes,
)

as_root = hasattr(os, "geteuid") and os.geteuid() == 0


def fail_with(number: int):
    """A writer that gets half-way."""

    def write(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(number, os.strerror(number))

    return write


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "new" / "folder" / "x.bin"
    write_bytes(path, b"one")
    assert path.read_bytes() == b"one"
    write_bytes(path, b"")
    assert path.read_bytes() == b""
    assert list(path.parent.iterdir()) == [path]


def test_permissions_are_those_of_any_new_file(tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_bytes(tmp_path / "atomic", b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "atomic")}
    assert len(modes) == 1


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "quota is used up"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission denied; choose another folder"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_a_failed_write_keeps_the_old_content(tmp_path, number, words):
    path = tmp_path / "x.bin"
    write_bytes(path, b"old")
    with pytest.raises(StorageError, match=words) as caught:
        write_atomic(path, fail_with(number))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_really_full_disk(tmp_path):
    """A file size limit raises in the middle of writing, as a full disk does."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    path = tmp_path / "x.bin"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(StorageError, match="cannot write"):
            write_bytes(path, bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_other_failures_pass_through_and_leave_nothing(tmp_path, error):
    path = tmp_path / "x.bin"
    write_bytes(path, b"old")

    def write(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise error

    with pytest.raises(type(error)):
        write_atomic(path, write)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_nobody_sees_half_a_file(tmp_path):
    path = tmp_path / "x.bin"
    write_bytes(path, b"a" * 10)
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(50):
        write_bytes(path, b"a" * 10)
        write_bytes(path, b"b" * 200_000)
    done.set()
    watcher.join()
    assert {(content[:1], len(content)) for content in seen} <= {(b"a", 10), (b"b", 200_000)}


def test_the_longest_file_name_can_be_written(tmp_path):
    path = tmp_path / ("x" * 255)
    write_bytes(path, b"content")
    assert path.read_bytes() == b"content"
    with pytest.raises(StorageError, match="cannot write"):
        write_bytes(tmp_path / ("x" * 256), b"content")
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_in_the_way_of_the_file(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        write_bytes(tmp_path / "x", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_file_is_in_the_way_of_the_folder(tmp_path):
    (tmp_path / "x").write_bytes(b"old")
    for folder in (tmp_path / "x", tmp_path / "x" / "y"):
        with pytest.raises(StorageError, match="cannot write"):
            make_folder(folder)
        with pytest.raises(StorageError, match="cannot write"):
            write_bytes(folder / "z", b"content")
    assert (tmp_path / "x").read_bytes() == b"old"


@pytest.mark.skipif(as_root, reason="root may write everywhere; the next test covers it")
def test_an_unwritable_folder(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="permission denied; choose another folder"):
            write_bytes(tmp_path / "x", b"content")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder nobody can write to")
def test_a_folder_that_even_root_cannot_write():
    with pytest.raises(StorageError, match=r"cannot write '/proc/self/x\.png'"):
        write_bytes(Path("/proc/self/x.png"), b"content")
    with pytest.raises(StorageError, match="cannot write"):
        make_folder(Path("/proc/self/folder"))


def test_make_folder_is_idempotent(tmp_path):
    folder = tmp_path / "a" / "b"
    assert make_folder(folder) == folder
    assert make_folder(folder).is_dir()


def test_a_system_that_cannot_sync_folders_is_no_failure(tmp_path, monkeypatch):
    synced = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not supported")
        synced(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_bytes(tmp_path / "x", b"content")
    assert (tmp_path / "x").read_bytes() == b"content"


def test_an_error_without_a_number_still_says_something():
    assert "odd" in str(storage_error(Path("x"), OSError("odd")))


def test_a_whole_folder_appears_when_all_is_in_it(tmp_path):
    out = tmp_path / "new" / "set"
    with whole_folder(out) as folder:
        (folder / "x.txt").write_text("x")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["x.txt"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o755
    assert [path.name for path in out.parent.iterdir()] == ["set"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RecipeError("no"), GeneratorExit()])
def test_of_a_folder_that_fails_nothing_is_left(tmp_path, error):
    def fill() -> None:
        with whole_folder(tmp_path / "set") as folder:
            (folder / "x.txt").write_text("x")
            raise error

    with pytest.raises(type(error)):
        fill()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_in_a_whole_folder_is_one_line(tmp_path):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(StorageError, match="the disk is full"), whole_folder(tmp_path / "set"):
        raise full
    assert not list(tmp_path.iterdir())


def test_a_whole_folder_takes_the_place_of_an_empty_one_only(tmp_path):
    (tmp_path / "empty").mkdir()
    with whole_folder(tmp_path / "empty") as folder:
        (folder / "x.txt").write_text("x")
    assert (tmp_path / "empty" / "x.txt").exists()
    for name in ("empty", "empty/x.txt"):
        with pytest.raises(RecipeError, match="not an empty folder"), whole_folder(tmp_path / name):
            pass
    assert (tmp_path / "empty" / "x.txt").read_text() == "x"
