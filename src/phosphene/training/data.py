"""Training data from any place: the emoji set, folders of pictures, WebDataset shards.

source = open_source(Path("data/emoji"), size=64)
batches = Batches(source, batch_size=32, seed=0)
for batch in batches.iterate(0, 1000): ...      # {"images": uint8 b c h w, "captions": (...)}
"""

import json
from pathlib import Path

from phosphene.core.errors import RecipeError
from phosphene.training.batches import Batch, Batches
from phosphene.training.example import Example, Source
from phosphene.training.folder import FolderSource
from phosphene.training.pictures import demand_split
from phosphene.training.scenes import SceneSource
from phosphene.training.shards import ShardSource

__all__ = [
    "Batch",
    "Batches",
    "Example",
    "FolderSource",
    "SceneSource",
    "ShardSource",
    "Source",
    "open_source",
]


def open_source(
    location: str | Path, size: int, seed: int = 0, split: str = "train", siblings: int = 1
) -> Source:
    """Open what lies at a place.

    Args:
        location: A set built by `phosphene data emoji`, a folder of pictures, a folder of .tar
            shards, or shards by path, glob or braces.
        size: Side of the pictures in pixels.
        seed: Of the composed scenes; folders and shards are what they are.
        split: "train", "held-out" (5 %) or "all".
        siblings: Composed scenes in a row that share their objects; see `SceneSource`.
    Raises:
        RecipeError: nothing usable there.
    """
    demand_split(split, size)
    name, path = str(location), Path(location)
    if name.endswith(".tar"):
        return ShardSource(name, size, split)
    if not path.is_dir():
        raise RecipeError(
            f"no training data at {name!r}; give a folder of pictures, .tar shards, or the set "
            "that `phosphene data emoji` makes"
        )
    if _is_emoji_set(path / "index.json"):
        return SceneSource(path, size, seed, split, siblings)
    shards = sorted(path.glob("*.tar"))
    return ShardSource(shards, size, split) if shards else FolderSource(path, size, split)


def _is_emoji_set(index: Path) -> bool:
    """Whether an index is ours; a folder of pictures may have an index.json of its own."""
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"version", "styles", "concepts"} <= content.keys()
