"""WebDataset shards with random access: tar files are indexed once and read in place."""

import glob
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from phosphene.core.errors import ImageError, RecipeError
from phosphene.training.example import Example
from phosphene.training.pictures import (
    PictureSource,
    clean_caption,
    decode,
    demand_split,
    in_split,
)

PICTURES = ("png", "jpg", "jpeg", "webp")
TEXTS = ("txt", "cls")
MAX_TEXT_BYTES = 100_000


@dataclass(slots=True)
class Member:
    """One sample of a shard: where its files lie, as (offset, length) in bytes by extension."""

    shard: Path
    key: str
    files: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def picture(self) -> str | None:
        """The extension of its picture."""
        return next((kind for kind in PICTURES if kind in self.files), None)


class ShardSource(PictureSource):
    """The samples of WebDataset tar files, in their order.

    A sample is the files of one base name: a picture (jpg, png, webp), its caption (txt) and maybe
    its class (cls), which becomes the concept.

    Args:
        pattern: A path, a glob ("data/*.tar"), braces ("data/{000..003}.tar"), or a list of these.
        size: Side of the pictures in pixels; they are cropped to a square.
        split: 5 % are held out by the hash of their key (none of fewer than 100).
    Raises:
        RecipeError: a shard is missing, compressed or broken, or there is no picture in them.
    """

    def __init__(
        self,
        pattern: str | Path | Sequence[str | Path],
        size: int = 128,
        split: str = "train",
    ) -> None:
        demand_split(split, size)
        super().__init__(size)
        self.shards = find_shards(pattern)
        samples = [sample for shard in self.shards for sample in _index(shard)]
        usable = [sample for sample in samples if sample.picture is not None]
        if len(samples) > len(usable):
            self.skipped["without a picture"] = len(samples) - len(usable)
        self.members = [
            s for s in usable if in_split(f"{s.shard.name}/{s.key}", len(usable), split)
        ]
        if not self.members:
            raise RecipeError(f"no picture for split {split!r} in {len(self.shards)} shard(s)")

    def __len__(self) -> int:
        return len(self.members)

    def read(self, index: int) -> Example:
        member = self.members[index]
        if member.picture is None:
            raise ImageError(f"{member.key!r} in {str(member.shard)!r} has no picture")
        image = decode(_bytes(member, member.picture), self.size)
        stem = member.key.rsplit("/", 1)[-1]
        caption = clean_caption(_text(member, "txt"), stem)
        return Example(image, caption, _text(member, "cls").strip() or stem)


def find_shards(pattern: str | Path | Sequence[str | Path]) -> list[Path]:
    """Expand braces and globs into existing files, in order.

    Raises:
        RecipeError: nothing matches.
    """
    from webdataset.shardlists import expand_urls

    patterns = [pattern] if isinstance(pattern, str | Path) else list(pattern)
    found: list[Path] = []
    for given in patterns:
        for name in expand_urls(str(given)):
            matches = sorted(glob.glob(name)) if glob.has_magic(name) else [name]
            matches = [match for match in matches if os.path.isfile(match)]
            if not matches:
                raise RecipeError(f"no shard at {name!r}; check the path")
            found += [Path(match) for match in matches]
    if not found:
        raise RecipeError("no shards given; name at least one .tar file")
    return list(dict.fromkeys(found))


def _index(shard: Path) -> list[Member]:
    """Read a tar's headers; its contents stay where they are."""
    from webdataset.tariterators import base_plus_ext

    members: dict[str, Member] = {}
    try:
        # "r:" refuses compression: nothing can be read in place there.
        with tarfile.open(shard, "r:") as archive:
            end = shard.stat().st_size
            for entry in archive:
                key, kind = base_plus_ext(entry.name)
                if key is None or not entry.isreg() or kind.lower() not in (*PICTURES, *TEXTS):
                    continue
                if entry.offset_data + entry.size > end:
                    raise tarfile.ReadError("it is truncated")
                member = members.setdefault(key, Member(shard, key))
                member.files[kind.lower()] = (entry.offset_data, entry.size)
    except (tarfile.TarError, OSError) as error:
        raise RecipeError(
            f"cannot read shard {str(shard)!r}: {error}; shards are uncompressed tar files"
        ) from None
    return list(members.values())


def _bytes(member: Member, kind: str, most: int | None = None) -> bytes:
    offset, length = member.files[kind]
    try:
        with member.shard.open("rb") as file:
            file.seek(offset)
            return file.read(length if most is None else min(length, most))
    except OSError as error:
        raise ImageError(f"cannot read {str(member.shard)!r}: {error}") from None


def _text(member: Member, kind: str) -> str:
    files: Mapping[str, tuple[int, int]] = member.files
    if kind not in files:
        return ""
    return _bytes(member, kind, MAX_TEXT_BYTES).decode("utf-8-sig", errors="replace")
