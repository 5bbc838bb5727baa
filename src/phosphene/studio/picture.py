"""What `phosphene.imagine` and `sample` give back: a picture that knows how it was made."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from phosphene.core.errors import RecipeError
from phosphene.core.images import to_pil
from phosphene.core.runtime import prepare
from phosphene.studio.artifact import Artifact, Manifest
from phosphene.studio.craft import Painted
from phosphene.studio.handing import hand_over
from phosphene.studio.recipe import Painting
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.replay import Verdict, replay
from phosphene.studio.run import run
from phosphene.zoo import Zoo


class _Shelf:
    """A folder that is there as long as a picture whose files lie in it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="phosphene-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class Picture:
    """A finished picture.

    In a notebook it shows itself; `save` writes it with its recipe inside.

    Args:
        beside: Files that belong to it, as in `Painted`.
        shelf: Where they lie until they are saved.
    """

    def __init__(
        self,
        artifact: Artifact,
        beside: Mapping[str, Path] | None = None,
        shelf: "_Shelf | None" = None,
    ) -> None:
        self._artifact, self._beside, self._shelf = artifact, dict(beside or {}), shelf

    @property
    def image(self) -> Image.Image:
        """As a PIL image."""
        return to_pil(self._artifact.image)

    @property
    def manifest(self) -> Manifest:
        """How it came to be: recipe, versions, hashes."""
        return self._artifact.manifest

    @property
    def recipe(self) -> Painting:
        """The complete recipe."""
        return self.manifest.recipe

    @property
    def seed(self) -> int:
        """The seed that gives it again."""
        return self.manifest.seed

    def save(self, path: str | Path) -> Path:
        """Write it as PNG, all or nothing, and beside it its film and frames; returns the path.

        Raises:
            RecipeError: another ending than .png, which could not carry the recipe.
            StorageError: disk full, folder not writable.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise RecipeError(f"{str(path)!r}: pictures are saved as .png, to carry their recipe")
        hand_over(self._artifact.png(), self._beside, path)
        return path

    def replay(self, zoo: Zoo | None = None, device: str = "cpu") -> Verdict:
        """Paint it again and compare."""
        return replay(self._artifact, zoo or Zoo(), device)

    def _repr_png_(self) -> bytes:
        return self._artifact.png()

    def __repr__(self) -> str:
        width, height = self.image.size
        what = self.recipe.title[:60]
        return f"<Picture {what!r}, seed {self.seed}, {width} x {height} px>"


def pictures_of(
    kind: str, fields: Mapping[str, Any], zoo: Zoo | None = None, device: str = "cpu"
) -> list[Picture]:
    """Paint the pictures of a recipe that is given by its fields.

    Raises:
        RecipeError: unknown field, or a value that is not allowed.
        PhospheneError: as for `run`.
    """
    prepare()
    recipe = parse_recipe({"kind": kind, **fields})
    shelf = _Shelf() if recipe.leaves_files else None
    steps = run(recipe, zoo or Zoo(), device, shelf.path if shelf else None)
    return [
        Picture(step.artifact, step.beside, shelf)
        for step in steps
        if isinstance(step, Painted) and step.artifact is not None
    ]


def imagine(
    prompt: str,
    *,
    seed: int | None = None,
    zoo: Zoo | None = None,
    device: str = "cpu",
    **fields: object,
) -> Picture:
    """Paint one picture from words.

    Args:
        seed: Fixes the picture; None draws one, and `Picture.seed` says which.
        zoo: Where models come from; the user's own if None.
        fields: Any field of the recipe `Imagine`, for example `iterations=300`.
    Raises:
        RecipeError: unknown field, or a value that is not allowed.
        PhospheneError: as for `run`.
    """
    if fields.get("count", 1) != 1:
        raise RecipeError(
            "count: imagine() gives one picture; call it once a seed, or use run() for many"
        )
    if fields.get("alternatives") == "all":
        raise RecipeError("alternatives: imagine() gives one picture; use run() to paint all")
    return pictures_of("imagine", {"prompt": prompt, "seed": seed, **fields}, zoo, device)[0]


def sample(
    model: str = "faces-dcgan",
    count: int = 1,
    *,
    seed: int | None = None,
    classes: Sequence[str | int] = (),
    grid: bool = False,
    zoo: Zoo | None = None,
    device: str = "cpu",
    **fields: object,
) -> list[Picture]:
    """Paint what a generator dreams of: a list of pictures, or of the one sheet they are laid on.

    Args:
        seed: Of the first; the i-th picture is the sole picture of seed + i.
        classes: Names or numbers that the pictures take turns in.
        fields: Any other field of the recipe `Sample`, for example `seeds="3,7"`.
    Raises:
        RecipeError: unknown field, or a value that is not allowed.
        PhospheneError: as for `run`.
    """
    asked = {"model": model, "count": count, "seed": seed, "classes": tuple(map(str, classes))}
    layout = "grid" if grid else "files"
    return pictures_of("sample", {**asked, "layout": layout, **fields}, zoo, device)
