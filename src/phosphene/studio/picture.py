"""What `phosphene.imagine` and `sample` give back: a picture that knows how it was made."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from phosphene.core.errors import RecipeError
from phosphene.core.images import to_pil
from phosphene.core.runtime import prepare
from phosphene.studio.artifact import Artifact, Manifest, Painted
from phosphene.studio.recipe import Imagine, Painting, Sample, with_seed
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.replay import Verdict, replay
from phosphene.studio.run import run
from phosphene.zoo import Zoo


class Picture:
    """A finished picture.

    In a notebook it shows itself; `save` writes it with its recipe inside.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact

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
        """Write it as PNG, all or nothing; returns the path.

        Raises:
            RecipeError: another ending than .png, which could not carry the recipe.
            StorageError: disk full, folder not writable.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise RecipeError(f"{str(path)!r}: pictures are saved as .png, to carry their recipe")
        self._artifact.save(path)
        return path

    def replay(self, zoo: Zoo | None = None, device: str = "cpu") -> Verdict:
        """Paint it again and compare."""
        return replay(self._artifact, zoo or Zoo(), device)

    def _repr_png_(self) -> bytes:
        return self._artifact.png()

    def __repr__(self) -> str:
        width, height = self.image.size
        recipe = self.recipe
        what = recipe.prompt if isinstance(recipe, Imagine) else recipe.model
        return f"<Picture {what[:60]!r}, seed {self.seed}, {width} x {height} px>"


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
    prepare()
    recipe = parse_recipe({"kind": "imagine", "prompt": prompt, "seed": seed, **fields})
    assert isinstance(recipe, Imagine)
    if recipe.count != 1:
        raise RecipeError(
            "count: imagine() gives one picture; call it once a seed, or use run() for many"
        )
    last = deque(run(with_seed(recipe), zoo or Zoo(), device), maxlen=1).pop()
    assert isinstance(last, Painted)
    assert last.artifact is not None
    return Picture(last.artifact)


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
    prepare()
    asked = {"model": model, "count": count, "seed": seed, "classes": tuple(map(str, classes))}
    layout = "grid" if grid else "files"
    recipe = parse_recipe({"kind": "sample", **asked, "layout": layout, **fields})
    assert isinstance(recipe, Sample)
    steps = run(with_seed(recipe), zoo or Zoo(), device)
    artifacts = [step.artifact for step in steps if isinstance(step, Painted)]
    return [Picture(artifact) for artifact in artifacts if artifact is not None]
