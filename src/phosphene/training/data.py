"""Training data from any place: the emoji set, folders of pictures, WebDataset shards.

source = open_source(Path("data/emoji"), size=64)
batches = Batches(source, batch_size=32, seed=0)
for batch in batches.iterate(0, 1000): ...      # {"images": uint8 b c h w, "captions": (...)}
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from phosphene.core.errors import RecipeError
from phosphene.training.batches import Batch, Batches
from phosphene.training.drawings import DrawingSource
from phosphene.training.example import Example, Source
from phosphene.training.folder import FolderSource
from phosphene.training.pictures import Size, demand_split
from phosphene.training.scenes import SceneSource
from phosphene.training.shards import ShardSource

__all__ = [
    "Batch",
    "Batches",
    "DrawingSource",
    "Example",
    "FolderSource",
    "SceneSource",
    "ShardSource",
    "Source",
    "open_source",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How pictures are looked at, and which.

    Args:
        channels: 1 grey, 3 RGB, 4 RGBA.
        drawings: Show the drawings of an emoji set one by one, instead of composed scenes.
        plain_share: Of composed scenes, that show one object alone, large, on white.
        drawn: Give with each composed scene the plain drawing of it, as further channels.
        classes: Only these folders, or subgroups of an emoji set; all if empty.
        styles: Only these drawing styles of an emoji set; all if empty.
    """

    channels: int = 3
    drawings: bool = False
    plain_share: float = 0.0
    drawn: bool = False
    classes: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()


def open_source(
    location: str | Path,
    size: Size,
    seed: int = 0,
    split: str = "train",
    siblings: int = 1,
    *,
    view: View | None = None,
) -> Source:
    """Open what lies at a place.

    Args:
        location: A set built by `phosphene data emoji`, a folder of pictures, a folder of .tar
            shards, or shards by path, glob or braces.
        size: Side of the pictures in pixels; for folders and drawings also height and width.
        seed: Of the composed scenes; folders and shards are what they are.
        split: "train", "held-out" (5 %) or "all".
        siblings: Composed scenes in a row that share their objects; see `SceneSource`.
    Raises:
        RecipeError: nothing usable there, or a view that this kind of data does not offer.
    """
    demand_split(split, size)
    view = view or View()
    name, path = str(location), Path(location)
    if name.endswith(".tar"):
        return ShardSource(name, _plain(size, view, "shards"), split)
    if not path.is_dir():
        raise RecipeError(
            f"no training data at {name!r}; give a folder of pictures, .tar shards, or the set "
            "that `phosphene data emoji` makes"
        )
    if _is_emoji_set(path / "index.json"):
        if view.drawings:
            return DrawingSource(
                path, size, split, view.channels, classes=view.classes, styles=view.styles
            )
        plain = _plain(size, replace(view, plain_share=0.0, drawn=False), "scenes")
        share, drawn = view.plain_share, view.drawn
        return SceneSource(path, plain, seed, split, siblings, share, drawn=drawn)
    shards = sorted(path.glob("*.tar"))
    if shards:
        return ShardSource(shards, _plain(size, view, "shards"), split)
    if view.styles or view.drawings or view.plain_share or view.drawn:
        raise RecipeError(
            f"{name!r} is no emoji set; leave out drawings, styles, plain_share and sketches"
        )
    return FolderSource(path, size, split, view.channels, view.classes)


def _plain(size: Size, view: View, kind: str) -> int:
    """The side of what comes as square RGB pictures without classes."""
    if isinstance(size, tuple) or view != View():
        raise RecipeError(
            f"{kind} are square RGB pictures without classes; leave out height, channels, classes "
            "and styles, or for an emoji set ask for drawings"
        )
    return size


def _is_emoji_set(index: Path) -> bool:
    """Whether an index is ours; a folder of pictures may have an index.json of its own."""
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"version", "styles", "concepts"} <= content.keys()
