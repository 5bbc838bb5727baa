"""What a run writes into its folder while it goes: preview, frames, checkpoint, pictures, video."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import ValidationError

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.images import save_png
from phosphene.core.protocols import Step
from phosphene.studio.artifact import Artifact, Surroundings
from phosphene.studio.folder import RunFolder
from phosphene.studio.illustration import Illustration
from phosphene.studio.painting import Painting
from phosphene.studio.recipe import Imagine
from phosphene.studio.video import write_video
from phosphene.training.checkpoint import load_state, save_state

CHECKPOINT_SECONDS = 10.0
PREVIEW_SECONDS = 1.0
VIDEO_FRAMES = 120  # a video whose recipe names no save_every has about so many


@runtime_checkable
class Record(Protocol):
    """Where a run leaves its traces.

    Args:
        cautions: What whoever watches should know before the first step, a line each.
    """

    cautions: tuple[str, ...]

    def first(self) -> int: ...

    def open(self, painting: Painting | Illustration) -> None: ...

    def note(self, painting: Painting | Illustration, step: Step) -> None: ...

    def keep(self, artifact: Artifact, finished: bool = True) -> None: ...

    def close(self) -> None: ...


class NoRecord:
    """Leaves none."""

    cautions: tuple[str, ...] = ()

    def first(self) -> int:
        return 0

    def open(self, painting: Painting | Illustration) -> None: ...

    def note(self, painting: Painting | Illustration, step: Step) -> None: ...

    def keep(self, artifact: Artifact, finished: bool = True) -> None: ...

    def close(self) -> None: ...


class FolderRecord:
    """Leaves them in a folder. None of it changes the pictures.

    Args:
        recipe: Complete.
        surroundings: In which the run is carried out.
        resume: Go on from the folder's checkpoint, if it has one.
    Raises:
        CheckpointError: its checkpoint is damaged, or of another kind of run.
        RecipeError: a picture or weights have changed since the checkpoint.
    """

    def __init__(
        self, folder: RunFolder, recipe: Imagine, surroundings: Surroundings, resume: bool
    ) -> None:
        self.folder, self.recipe, self.resume = folder, recipe, resume
        self.surroundings = surroundings
        self.cautions: tuple[str, ...] = ()
        self.frame_every = _frame_every(recipe)
        self._state: dict[str, Any] | None = None
        if resume and folder.has_checkpoint():
            self._state = load_state(folder.checkpoint)
            self.cautions = self._compare(_surroundings_of(self._state, folder.checkpoint))
        self._begun = False
        self._saved = self._shown = time.monotonic()

    def first(self) -> int:
        """Number of the picture that the run is at."""
        return 0 if self._state is None else int(self._state["number"])

    def open(self, painting: Painting | Illustration) -> None:
        """Make the folder ready for a picture, and bring the picture to where it was.

        Raises:
            StorageError: the folder cannot be written, or holds another run.
        """
        if not self._begun:  # not earlier: until a picture can be begun, nothing is written
            self.folder.begin(self.recipe, self.resume)
            self._begun = True
        if self._state is not None and int(self._state["number"]) == painting.number:
            painting.load_state(self._state)

    def note(self, painting: Painting | Illustration, step: Step) -> None:
        """Save what is due after a step: a frame, the preview, a checkpoint."""
        made = painting.iterations - 1  # the step's picture is the one before it
        if self.frame_every and made % self.frame_every == 0:
            painting.frame(step).save(self.folder.frame(self._label(painting.number), made))
        now = time.monotonic()
        if now - self._shown >= PREVIEW_SECONDS or not self.folder.preview.exists():
            assert step.images is not None
            save_png(step.images[0], self.folder.preview)
            self._shown = now
        if now - self._saved >= CHECKPOINT_SECONDS:
            made_in = self.surroundings.model_dump(mode="json")
            save_state(self.folder.checkpoint, {**painting.state(), "surroundings": made_in})
            self._saved = now

    def keep(self, artifact: Artifact, finished: bool = True) -> None:
        """Save a picture; with a video of its frames, if it is finished and one is wanted."""
        label, made = self._label(artifact.manifest.index), artifact.manifest.iterations
        artifact.save(self.folder.picture(self.recipe, label))
        if not finished:
            return
        if self.frame_every:
            artifact.save(self.folder.frame(label, made))
        if self.recipe.video:
            path = self.folder.video(self.recipe, label)
            write_video(self.folder.frames(label), path, self.recipe.fps)

    def close(self) -> None:
        """Remove what only an unfinished run needs."""
        self.folder.tidy(keep_frames=self.recipe.save_every is not None)

    def _label(self, number: int) -> str:
        return self.recipe.labels()[number]

    def _compare(self, then: Surroundings) -> tuple[str, ...]:
        """Refuse to go on with other files; say what of the platform is not as it was."""
        path = str(self.folder.path)
        if changed := list(then.changed_files(self.surroundings)):
            more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
            raise RecipeError(
                f"cannot resume {path!r}: {changed[0]}{more}; the picture would be of neither: "
                "bring back what it was, or begin a new run"
            )
        if changed := list(then.changed_platform(self.surroundings)):
            return (
                f"{path!r} was begun elsewhere ({'; '.join(changed)}): the picture may differ from "
                "that of a run without interruption",
            )
        return ()


def record_of(
    path: Path | None, recipe: Imagine, surroundings: Surroundings, resume: bool
) -> Record:
    """Return a record in the folder at `path`, or one that writes nothing."""
    if path is None:
        return NoRecord()
    return FolderRecord(RunFolder(path), recipe, surroundings, resume)


def _surroundings_of(state: Mapping[str, Any], checkpoint: Path) -> Surroundings:
    """What a checkpoint says that its run was carried out in."""
    try:
        return Surroundings.model_validate(state["surroundings"])
    except (KeyError, ValidationError):
        raise CheckpointError(
            f"cannot resume from {str(checkpoint)!r}: it does not say with which weights it was "
            "made, as other versions of phosphene or other runs do; delete it to begin anew"
        ) from None


def _frame_every(recipe: Imagine) -> int | None:
    """Iterations between saved frames."""
    if recipe.save_every is not None:
        return recipe.save_every
    if recipe.zoom is not None:
        return recipe.zoom.every
    if recipe.video is not None:
        return max(1, (recipe.iterations or 0) // VIDEO_FRAMES)
    return None
