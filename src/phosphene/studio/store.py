"""Files of the gallery, named by their sha256. Imports no torch.

    artifacts/3f/3fa2...png      a picture, with its recipe inside
    artifacts/9b/9b07...mp4      what belongs to a picture: a film, a family tree
    thumbnails/3f/3fa2...webp    can be made again at any time
    runs/JOB/                    of a job that is not done

A file is complete from the moment it has its name, and never changes.
"""

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.core.errors import NotFound, StorageError
from phosphene.core.files import storage_error, write_bytes
from phosphene.core.image_files import open_pil
from phosphene.studio.references import is_id

if TYPE_CHECKING:
    import PIL.Image

THUMBNAIL_SIDE = 256  # px, at most
PREVIEW_SIDE = 160
WEBP_QUALITY = 75
ENDING = re.compile(r"\.[a-z0-9]{1,8}")  # of a file in the store


def sha256(data: bytes) -> str:
    """Name data by its content."""
    return hashlib.sha256(data).hexdigest()


def webp(image: "PIL.Image.Image", side: int) -> bytes:
    """A picture as a small WebP, its longer side at most `side` px, never enlarged."""
    small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=WEBP_QUALITY)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Store:
    """The studio's folder."""

    share: Path

    @property
    def artifacts(self) -> Path:
        return self.share / "artifacts"

    @property
    def thumbnails(self) -> Path:
        return self.share / "thumbnails"

    @property
    def runs(self) -> Path:
        return self.share / "runs"

    def run_of(self, job: str) -> Path:
        """The folder in which a job is carried out."""
        return self.runs / job

    def path(self, name: str, ending: str = ".png") -> Path:
        """Where a file lies.

        Raises:
            NotFound: the name is no sha256, or the ending none of a file: nobody's path.
        """
        if not is_id(name) or not ENDING.fullmatch(ending):
            raise NotFound(f"{name[:64]!r} is no picture's id")
        return self.artifacts / name[:2] / f"{name}{ending}"

    def put(self, data: bytes, ending: str = ".png") -> str:
        """Keep data; returns its name. When this returns, it is on the disk.

        Raises:
            StorageError: disk full, folder not writable.
        """
        name = sha256(data)
        path = self.path(name, ending)
        if not self.holds(name, ending):
            write_bytes(path, data)
        return name

    def holds(self, name: str, ending: str = ".png") -> bool:
        """Whether a file is here, and is what its name says."""
        try:
            return sha256(self.path(name, ending).read_bytes()) == name
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StorageError(f"cannot read {name!r}: {error.strerror}") from None

    def read(self, name: str, ending: str = ".png") -> bytes:
        """Return a file's bytes.

        Raises:
            NotFound: it is not here.
        """
        try:
            return self.path(name, ending).read_bytes()
        except OSError:
            raise NotFound(f"the file of {name[:64]!r} is not here") from None

    def thumbnail(self, name: str) -> Path:
        """A picture's thumbnail; made now if there is none.

        Raises:
            NotFound: there is no such picture.
            ImageError: its file is damaged.
        """
        small = self._thumbnail(name)
        if not small.is_file():
            write_bytes(small, webp(open_pil(self.read(name)), THUMBNAIL_SIDE))
        return small

    def remove(self, name: str, ending: str = ".png") -> None:
        """Delete a file, and a picture's thumbnail; nothing if it is gone.

        Raises:
            StorageError: the folder is not writable.
        """
        path = self.path(name, ending)
        try:
            path.unlink(missing_ok=True)
            if ending == ".png":
                self._thumbnail(name).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(path, error) from None

    def all(self) -> Iterator[tuple[str, str]]:
        """Name and ending of every file that is here, in order."""
        for path in sorted(self.artifacts.glob("??/*")):
            if is_id(path.stem) and ENDING.fullmatch(path.suffix) and path.is_file():
                yield path.stem, path.suffix

    def half_written(self) -> list[Path]:
        """What a crash in the middle of writing left."""
        return sorted([*self.artifacts.rglob(".*.tmp"), *self.thumbnails.rglob(".*.tmp")])

    def _thumbnail(self, name: str) -> Path:
        return self.thumbnails / self.path(name).relative_to(self.artifacts).with_suffix(".webp")
