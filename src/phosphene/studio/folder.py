"""A run's own folder, and names for files that are made from prompts. Imports no torch.

phosphene-runs/2026-07-31-142530-green-heart-3fa2c1/
    recipe.json               what is being made; `--resume` reads it
    checkpoint.safetensors    where the run is; gone when it has finished
    preview.png               the picture as it is now, replaced in one step
    green-heart-7.png         finished pictures, each with its recipe inside
    frames/7/000010.png       saved frames
    frames/000010.png         those of an animation, which is one film
    green-heart-7.mp4         video
"""

import secrets
import shutil
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from phosphene.core.errors import RecipeError, StorageError
from phosphene.core.files import make_folder, write_bytes
from phosphene.studio.recipe import Imagine, Painting, Recipe
from phosphene.studio.recipe_text import dump_recipe, load_recipe

Kind = TypeVar("Kind", bound=Recipe)

RUNS = Path("phosphene-runs")
MAX_SLUG_BYTES = 60  # file systems take 255; date, seed and suffix need room too


def slug(text: str) -> str:
    """Turn any text into a name that is safe on any file system, and still reads like the text.

    Letters and digits of all scripts stay, symbols such as emoji become their Unicode names,
    everything else becomes a hyphen. Never empty, at most 60 bytes of UTF-8.
    """
    words: list[str] = []
    size = 0
    for character in unicodedata.normalize("NFC", text.lower()):
        piece = _spoken(character)
        size += len(piece.encode("utf-8", "replace"))
        if size > MAX_SLUG_BYTES:
            break
        words.append(piece)
    parts = "".join(words).split("-")
    return unicodedata.normalize("NFC", "-".join(p for p in parts if p)) or "picture"


def _spoken(character: str) -> str:
    kind = unicodedata.category(character)
    if kind[0] in "LN" or kind in ("Mn", "Mc"):
        return character
    if kind == "So":
        name = unicodedata.name(character, "").lower().replace(" ", "-")
        return f"-{name}-"
    return "-"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where one run keeps its files."""

    path: Path

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.json"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"

    @property
    def preview(self) -> Path:
        return self.path / "preview.png"

    def picture(self, recipe: Imagine, label: object) -> Path:
        """Return where a finished picture goes.

        Args:
            label: One of the recipe's `labels()`: the seed, where each seed has one picture.
        """
        return self.path / picture_name(recipe, label)

    def video(self, recipe: Imagine, label: object) -> Path:
        """Return where the video of a picture goes."""
        return self.picture(recipe, label).with_suffix(f".{recipe.video}")

    def frame(self, label: object, iteration: int) -> Path:
        """Return where the frame after so many iterations goes."""
        return self.path / "frames" / str(label) / f"{iteration:06d}.png"

    def frames(self, label: object) -> list[Path]:
        """Return the saved frames of a picture, in order."""
        return sorted((self.path / "frames" / str(label)).glob("*.png"))

    def film_frame(self, number: int) -> Path:
        """Return where a frame of an animation goes."""
        return self.path / "frames" / f"{number:06d}.png"

    def has_checkpoint(self) -> bool:
        """Whether a run was under way here, that can go on."""
        return self.checkpoint.is_file() or self.film_frame(0).is_file()

    def begin(self, recipe: Recipe, resume: bool) -> None:
        """Create the folder with the recipe in it; when resuming, check that it is the same.

        Raises:
            StorageError: it cannot be written, or holds another run.
        """
        if self.recipe.exists() and not (resume and load_recipe(self.recipe) == recipe):
            raise StorageError(
                f"{str(self.path)!r} holds another run; resume that one, or choose another folder"
            )
        make_folder(self.path)
        write_bytes(self.recipe, dump_recipe(recipe).encode())

    def tidy(self, keep_frames: bool) -> None:
        """Remove what only an unfinished run needs."""
        self.checkpoint.unlink(missing_ok=True)
        self.preview.unlink(missing_ok=True)
        for left_over in self.path.rglob(".*.tmp"):  # a kill in the middle of writing
            left_over.unlink(missing_ok=True)
        if not keep_frames:
            shutil.rmtree(self.path / "frames", ignore_errors=True)


def picture_name(recipe: Imagine, label: object) -> str:
    """Return the file name of a picture: what it shows, and which of them it is."""
    return f"{slug(recipe.title)}-{label}.png"


def new_run(recipe: Painting, root: Path = RUNS) -> RunFolder:
    """Name a folder for a run that starts now; `RunFolder.begin` creates it."""
    moment = f"{datetime.now():%Y-%m-%d-%H%M%S}"
    return RunFolder(root / f"{moment}-{slug(recipe.title)}-{secrets.token_hex(3)}")


def open_run(path: Path, kind: type[Kind]) -> tuple[RunFolder, Kind]:
    """Find the run that a folder holds.

    Args:
        kind: Of the recipe.
    Raises:
        RecipeError: no such folder, or no run of that kind is in it.
    """
    folder = RunFolder(path)
    if not folder.recipe.is_file():
        raise RecipeError(f"{str(path)!r} holds no run; give a folder with a recipe.json in it")
    recipe = load_recipe(folder.recipe)
    if not isinstance(recipe, kind):
        how = "`phosphene train`" if recipe.kind == "train" else f"`phosphene {recipe.kind}`"
        what = "a training run" if recipe.kind == "train" else f"a run of {recipe.kind}"
        raise RecipeError(f"{str(path)!r} is {what}; {how} resumes it")
    return folder, recipe
