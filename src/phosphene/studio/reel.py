"""The frames of an animation in a run's folder: kept one by one, and found again after a kill.

A frame's manifest has the recipe of the film that ends with it, the weights and pictures that it
was made with, and the pixels of the frame that it went on from. So a chain of frames can be checked
link by link: what is damaged is painted again, and what follows it stays if it fits.
"""

from pathlib import Path

from phosphene.core.errors import ImageError, RecipeError
from phosphene.core.images import pixel_hash
from phosphene.studio.artifact import Artifact, Manifest, Surroundings, read_artifact
from phosphene.studio.folder import RunFolder
from phosphene.studio.recipe import Animate

BEFORE = "the frame before"  # among the inputs of a frame: its pixels' sha256


def following(surroundings: Surroundings, before: Artifact | None) -> Surroundings:
    """What decides a frame's pixels besides its recipe: also the frame that it goes on from."""
    if before is None:
        return surroundings
    inputs = {**surroundings.inputs, BEFORE: before.manifest.pixel_sha256}
    return surroundings.model_copy(update={"inputs": inputs})


class Reel:
    """Where frames are kept.

    Args:
        path: The run's folder; None keeps nothing.
        recipe: Of the whole film, complete.
        resume: Look for frames that are there.
    Raises:
        StorageError: the folder cannot be written, or holds another run.
    """

    def __init__(self, path: Path | None, recipe: Animate, resume: bool) -> None:
        self.folder = None if path is None else RunFolder(path)
        self.recipe, self.resume = recipe, resume
        self._warned = False
        if self.folder is not None:
            self.folder.begin(recipe, resume)

    def find(self, number: int, made_in: Surroundings) -> Artifact | None:
        """A frame that is there and whole.

        Args:
            made_in: What it should have been made in.
        Raises:
            RecipeError: it was made with other weights or pictures.
        """
        if self.folder is None or not self.resume:
            return None
        try:
            artifact = read_artifact(self.folder.film_frame(number))
        except ImageError:
            return None
        manifest = artifact.manifest
        if not self._is_frame(artifact, number):
            return None
        if manifest.inputs.get(BEFORE) != made_in.inputs.get(BEFORE):
            return None
        if changed := list(manifest.changed_files(made_in)):
            raise RecipeError(
                f"cannot resume {str(self.folder.path)!r}: {changed[0]}; the film would be of "
                "neither: bring back what it was, or begin a new run"
            )
        return artifact

    def _is_frame(self, artifact: Artifact, number: int) -> bool:
        """Whether it is that frame of this film, as it was painted."""
        manifest = artifact.manifest
        return (
            manifest.frame
            and manifest.index == number
            and manifest.recipe == self.recipe.until(number)
            and manifest.pixel_sha256 == pixel_hash(artifact.image)
        )

    def caution(self, manifest: Manifest, made_in: Surroundings) -> tuple[str, ...]:
        """Say once if a frame that was found was painted elsewhere."""
        changed = list(manifest.changed_platform(made_in))
        if self._warned or not changed:
            return ()
        self._warned = True
        return (
            f"the frames were begun elsewhere ({'; '.join(changed)}): the film may differ from one "
            "without interruption",
        )

    def keep(self, number: int, artifact: Artifact) -> None:
        """Save a frame.

        Raises:
            StorageError: disk full, folder not writable.
        """
        if self.folder is not None:
            artifact.save(self.folder.film_frame(number))

    def paths(self) -> list[Path]:
        """All frames of the film, in order; none if nothing is kept."""
        if self.folder is None:
            return []
        return [self.folder.film_frame(number) for number in range(self.recipe.num_frames)]
