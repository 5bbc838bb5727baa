"""Carrying out a painting recipe at the terminal, and handing over what came of it.

While it runs, everything lies in a folder of the run's own. When it has finished, pictures and
videos move to where they were asked for, and a folder that holds nothing else is removed.
"""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.cli.dream import targets_of
from phosphene.cli.surface import Surface, check_target, note, printable, watched
from phosphene.core.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.studio.folder import RunFolder
    from phosphene.studio.recipe import Imagine


def paint(recipe: "Imagine", out: Path | None, surface: Surface) -> None:
    """Paint a recipe in a new run.

    Raises:
        PhospheneError: as for `studio.run`; or `out` cannot be what is asked for.
    """
    from phosphene.studio.folder import new_run

    recipe = recipe.with_seed()
    _carry_out(recipe, new_run(recipe), out, surface, resume=False)


def resume_run(path: Path, out: Path | None, surface: Surface) -> None:
    """Go on with the run in a folder."""
    from phosphene.studio.folder import open_run
    from phosphene.studio.recipe import Imagine

    folder, recipe = open_run(path, Imagine)
    _carry_out(recipe, folder, out, surface, resume=True)


def _carry_out(
    recipe: "Imagine", folder: "RunFolder", out: Path | None, surface: Surface, *, resume: bool
) -> None:
    targets = targets_of(recipe, out)
    for target in (*targets, folder.recipe):
        check_target(target)

    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.studio.run import run
    from phosphene.zoo import Zoo

    shown = False
    try:
        going = run(recipe, Zoo(), surface.device, folder.path, resume)
        with watched(going, recipe.prompt[:40]) as steps:
            for step in steps:
                for line in step.notes:
                    note(f"phosphene: {printable(line)}")
                if not shown and folder.preview.exists():
                    note(f"watch it grow: {printable(str(folder.preview))}")
                    shown = True
    except KeyboardInterrupt:
        _say_what_is_left(recipe, folder)
        raise
    except PhospheneError:
        if not resume:
            _discard_unless_useful(folder)
        raise
    try:
        delivered = deliver(recipe, folder, targets, overwrite=out is not None)
    except PhospheneError:
        note(f"kept: {printable(str(folder.path))}")
        raise
    for path in delivered:
        print(printable(str(path)))


def deliver(
    recipe: "Imagine", folder: "RunFolder", targets: list[Path], *, overwrite: bool
) -> list[Path]:
    """Move what is finished to where it was asked for; returns the new paths.

    Raises:
        StorageError: it cannot be written there; it then stays in the run's folder.
    """
    from phosphene.core.files import make_folder

    delivered = []
    for label, target in zip(recipe.labels(), targets, strict=True):
        sources = [folder.picture(recipe, label)]
        if recipe.video:
            sources.append(folder.video(recipe, label))
        make_folder(target.parent)
        stem = target.stem if overwrite else _free_stem(target, sources)
        for source in sources:
            delivered.append(_move(source, target.with_name(stem + source.suffix)))
    _remove_if_spent(folder)
    return delivered


def _free_stem(target: Path, sources: list[Path]) -> str:
    """A name that no other picture has; the same picture again may take its own place."""
    stem, number = target.stem, 1
    while any(
        _differs(target.with_name(stem + source.suffix), source.read_bytes()) for source in sources
    ):
        number += 1
        stem = f"{target.stem}-{number}"
    return stem


def _differs(path: Path, content: bytes) -> bool:
    return path.exists() and (not path.is_file() or path.read_bytes() != content)


def _move(source: Path, target: Path) -> Path:
    from phosphene.core.files import write_bytes

    try:
        source.replace(target)
    except OSError:  # another file system
        write_bytes(target, source.read_bytes())
        source.unlink()
    return target


def _remove_if_spent(folder: "RunFolder") -> None:
    """Remove a folder in which only the recipe is left: the pictures carry it too."""
    from phosphene.studio.folder import RUNS

    if set(os.listdir(folder.path)) <= {folder.recipe.name}:
        shutil.rmtree(folder.path, ignore_errors=True)
        if folder.path.parent.resolve() == RUNS.resolve() and not os.listdir(RUNS):
            RUNS.rmdir()


def _discard_unless_useful(folder: "RunFolder") -> None:
    """After an error, remove a folder that holds nothing to look at or to go on from."""
    if folder.path.is_dir():
        spent = {folder.recipe.name, folder.preview.name}
        for path in folder.path.iterdir():
            if path.name not in spent:
                note(f"kept: {printable(str(folder.path))}")
                if folder.has_checkpoint():
                    _say_how_to_go_on(folder)
                return
        folder.preview.unlink(missing_ok=True)
        _remove_if_spent(folder)


def _say_what_is_left(recipe: "Imagine", folder: "RunFolder") -> None:
    paths = (folder.picture(recipe, label) for label in recipe.labels())
    for path in filter(Path.is_file, paths):
        note(f"best so far: {printable(str(path))}")
    if folder.recipe.is_file():
        _say_how_to_go_on(folder)


def _say_how_to_go_on(folder: "RunFolder") -> None:
    note(f"to go on: phosphene imagine --resume {printable(str(folder.path))}")
