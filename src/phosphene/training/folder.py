"""A folder of pictures with captions in text files beside them."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from phosphene.core.errors import RecipeError
from phosphene.core.images import MAX_PIXELS, READABLE
from phosphene.training.example import Example
from phosphene.training.pictures import (
    PictureSource,
    Size,
    chosen_classes,
    clean_caption,
    decode,
    demand_split,
    in_split,
)

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
MAX_TEXT_BYTES = 100_000


class FolderSource(PictureSource):
    """The pictures below a folder, in the order of their paths.

    `x.png` has the caption in `x.txt`, or its own name in words; the concept is the folder it lies
    in, or its name at the top. What cannot be read is left out and counted in `skipped`. Where all
    pictures lie in folders (`root/<class>/...`), these are their classes.

    Args:
        root: The folder. Links that lead out of it, and links to folders, are not followed.
        size: Side of the pictures in pixels, or height and width; they are cropped to fit.
        split: 5 % are held out by the hash of their path (none of fewer than 100).
        channels: 1 grey, 3 RGB, 4 RGBA.
        classes: Only these folders at the top; all if empty.
    Raises:
        RecipeError: no such folder or class, or no usable picture in it.
    """

    def __init__(
        self,
        root: Path,
        size: Size = 128,
        split: str = "train",
        channels: int = 3,
        classes: tuple[str, ...] = (),
    ) -> None:
        demand_split(split, size)
        super().__init__(size, channels)
        self.root = root
        if not root.is_dir():
            raise RecipeError(f"no folder at {str(root)!r}; check the path")
        usable = [path for path in self._walk() if self._is_usable(path)]
        self.class_names = chosen_classes({self._class(path) for path in usable}, classes)
        if classes:
            usable = [path for path in usable if self._class(path) in classes]
        self.paths = [p for p in usable if in_split(self._key(p), len(usable), split)]
        if not self.paths:
            reasons = "; ".join(f"{count} {reason}" for reason, count in self.skipped.items())
            found = f"no usable picture for split {split!r} in {str(root)!r}"
            raise RecipeError(f"{found} ({reasons or 'it is empty'})")

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> Example:
        path = self.paths[index]
        nested = path.parent != self.root
        concept = path.parent.name if nested else path.stem
        label = self.class_names.index(self._class(path)) if self.class_names else None
        image = decode(path, self.size, self.channels)
        return Example(image, self.caption(index), concept, label)

    def caption(self, index: int) -> str:
        """The caption of picture `index`, without decoding the picture."""
        path = self.paths[index]
        text = path.with_suffix(".txt")
        if not text.is_file() or not self._is_inside(text):
            return clean_caption("", path.stem)
        with text.open("rb") as file:
            words = file.read(MAX_TEXT_BYTES).decode("utf-8-sig", errors="replace")
        return clean_caption(words, path.stem)

    def _class(self, path: Path) -> str:
        """The folder at the top that a picture lies in, or nothing."""
        parts = path.relative_to(self.root).parts
        return parts[0] if len(parts) > 1 else ""

    def _key(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _walk(self) -> Iterator[Path]:
        """All candidate files, sorted by path; what is no picture by its name is counted."""
        for folder, names, files in os.walk(self.root):
            links = [name for name in names if (Path(folder) / name).is_symlink()]
            self._count("links to folders", len(links))
            names[:] = sorted(n for n in names if n not in links and not n.startswith("."))
            stems = {Path(file).stem for file in files if _looks_like_picture(file)}
            for file in sorted(files):
                if file.startswith("."):
                    continue
                if _looks_like_picture(file):
                    yield Path(folder) / file
                elif Path(file).suffix.lower() != ".txt" or Path(file).stem not in stems:
                    self._count("not a picture")

    def _is_usable(self, path: Path) -> bool:
        """Look at the header alone, so that a large folder opens quickly."""
        if not self._is_inside(path):
            self._count("links that leave the folder, or lead nowhere")
            return False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a hostile header is counted, not reported
                with Image.open(path, formats=READABLE) as image:
                    width, height = image.size
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            self._count("unreadable")
            return False
        if width * height > MAX_PIXELS or min(width, height) < 1:
            self._count(f"above {MAX_PIXELS:,} pixels")
            return False
        return True

    def _is_inside(self, path: Path) -> bool:
        if not path.is_symlink():
            return path.is_file()
        target = path.resolve()
        return target.is_file() and target.is_relative_to(self.root.resolve())

    def _count(self, reason: str, number: int = 1) -> None:
        if number:
            self.skipped[reason] += number


def _looks_like_picture(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES
