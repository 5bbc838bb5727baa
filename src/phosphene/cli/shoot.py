"""Carrying out an animation at the terminal: in a folder of its own, from which it can go on.

While it runs, its frames lie there; when it has finished, strip, film and frames are copied to
where they were asked for, and the folder is removed.
"""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.cli.dream import carried_out, targets_of
from phosphene.cli.surface import Surface, check_target, note, printable
from phosphene.core.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.studio.folder import RunFolder
    from phosphene.studio.recipe import Animate


def shoot(recipe: "Animate", out: Path | None, surface: Surface) -> None:
    """Carry out an animation in a new run.

    Raises:
        PhospheneError: as for `studio.run`; or `out` cannot be what is asked for.
    """
    from phosphene.studio.folder import new_run

    recipe = recipe.with_seed()
    _carry_out(recipe, new_run(recipe), out, surface, resume=False)


def resume_shoot(path: Path, out: Path | None, surface: Surface) -> None:
    """Go on with the animation in a folder."""
    from phosphene.studio.folder import open_run
    from phosphene.studio.recipe import Animate

    folder, recipe = open_run(path, Animate)
    _carry_out(recipe, folder, out, surface, resume=True)


def _carry_out(
    recipe: "Animate", folder: "RunFolder", out: Path | None, surface: Surface, *, resume: bool
) -> None:
    targets = targets_of(recipe, out)
    for target in (*targets, folder.recipe):
        check_target(target)
    try:
        written = carried_out(recipe, folder.path, targets, surface, over=out is not None)
    except (KeyboardInterrupt, PhospheneError):
        if folder.has_checkpoint():
            note(f"to go on: phosphene animate --resume {printable(str(folder.path))}")
        elif not resume:
            _remove(folder)
        raise
    _remove(folder)
    for path in written:
        print(printable(str(path)))


def _remove(folder: "RunFolder") -> None:
    """Remove a run's folder, and the one of all runs if it was the last."""
    from phosphene.studio.folder import RUNS

    shutil.rmtree(folder.path, ignore_errors=True)
    if folder.path.parent.resolve() == RUNS.resolve() and RUNS.is_dir() and not os.listdir(RUNS):
        RUNS.rmdir()
