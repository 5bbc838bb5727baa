"""A folder of pictures with captions in text files beside them."""

import copy
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from phosphene.core.errors import ImageError, RecipeError
from phosphene.training.example import Example
from phosphene.training.glance import size_of
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
LICENCE_FILES = frozenset({"LICENCES.md"})  # which `phosphene data` writes beside pictures


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
        usable = [name for name in self._walk("") if self._is_usable(name)]
        self.class_names = chosen_classes({_class(name) for name in usable}, classes)
        if classes:
            usable = [name for name in usable if _class(name) in classes]
        self._usable = usable
        self._keep(split)

    def split_off(self, split: str) -> "FolderSource":
        """The pictures of another split, without looking through the folder again.

        Raises:
            RecipeError: there is none in it.
        """
        other = copy.copy(self)
        other.skipped, other._broken = self.skipped.copy(), set()
        other._keep(split)
        return other

    @property
    def paths(self) -> list[Path]:
        """Where the pictures are, in their order."""
        return [self.root / name for name in self.names]

    def _keep(self, split: str) -> None:
        self.names = [name for name in self._usable if in_split(name, len(self._usable), split)]
        if not self.names:
            reasons = "; ".join(f"{count} {reason}" for reason, count in self.skipped.items())
            found = f"no usable picture for split {split!r} in {str(self.root)!r}"
            raise RecipeError(f"{found} ({reasons or 'it is empty'})")

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> Example:
        name = PurePosixPath(self.names[index])
        concept = name.parent.name or name.stem
        label = self.class_names.index(_class(str(name))) if self.class_names else None
        image = decode(self.root / name, self.size, self.channels)
        return Example(image, self.caption(index), concept, label)

    def caption(self, index: int) -> str:
        """The caption of picture `index`, without decoding the picture."""
        path = self.root / self.names[index]
        text = path.with_suffix(".txt")
        if not text.is_file() or not self._is_inside(text):
            return clean_caption("", path.stem)
        with text.open("rb") as file:
            words = file.read(MAX_TEXT_BYTES).decode("utf-8-sig", errors="replace")
        return clean_caption(words, path.stem)

    def _walk(self, folder: str) -> Iterator[str]:
        """Names of all candidates below a folder, sorted; what is none by its name is counted.

        Args:
            folder: Relative to the root, with a slash at its end; nothing for the root.
        """
        try:
            with os.scandir(self.root / folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            self._count("folders that cannot be read")
            return
        found = [entry for entry in found if not entry.name.startswith(".")]
        # a file system says with the name what it is: nothing is asked of the file itself
        links = [entry for entry in found if entry.is_symlink()]
        to_folders = {entry.name for entry in links if entry.is_dir()}
        self._count("links to folders", len(to_folders))
        below = [entry.name for entry in found if entry.is_dir(follow_symlinks=False)]
        apart = to_folders.union(below)
        files = [entry for entry in found if entry.name not in apart]
        stems = {_stem(entry.name) for entry in files if _looks_like_picture(entry.name)}
        linked = {entry.name for entry in links}
        for entry in files:
            if _looks_like_picture(entry.name):
                if entry.name in linked and not self._is_inside(self.root / folder / entry.name):
                    self._count("links that leave the folder, or lead nowhere")
                elif entry.name not in linked and not entry.is_file(follow_symlinks=False):
                    self._count("not a file")  # a pipe would be waited for without end
                else:
                    yield folder + entry.name
            elif entry.name in LICENCE_FILES:
                continue  # of our own sets
            elif not entry.name.lower().endswith(".txt") or _stem(entry.name) not in stems:
                self._count("not a picture")
        for name in below:
            yield from self._walk(f"{folder}{name}/")

    def _is_usable(self, name: str) -> bool:
        """Look at the first bytes alone, so that a large folder opens quickly."""
        try:
            size_of(os.path.join(self.root, name))
        except ImageError as error:
            self._count(str(error))
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


def _class(name: str) -> str:
    """The folder at the top that a picture lies in, or nothing."""
    top, slash, _ = name.partition("/")
    return top if slash else ""


def _looks_like_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]
