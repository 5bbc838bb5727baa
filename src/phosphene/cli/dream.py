"""Carrying out at the terminal whatever ends in pictures, each with its recipe inside.

Used by `sample` and by all commands like it; `imagine`, whose runs can be resumed, has `paint.py`.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.cli.surface import (
    Surface,
    changes_of,
    check_target,
    describe,
    note,
    printable,
    watched,
)
from phosphene.core.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phosphene.studio.recipe import Painting


def dream_of(
    kind: str,
    given: Mapping[str, Any],
    changes: list[str] | None,
    out: Path | None,
    surface: Surface,
) -> None:
    """Make a recipe of a command's options and carry it out; `--set help` lists its fields.

    Args:
        kind: Of the recipe.
        given: Fields that options name; None is what was not given.
        changes: Entries of `--set`.
    Raises:
        RecipeError: a field, or what is changed, is not allowed.
        PhospheneError: as for `dream`.
    """
    from phosphene.studio.recipe import KINDS, Painting
    from phosphene.studio.recipe_text import parse_recipe, recipe_with

    if changes == ["help"]:
        describe(KINDS[kind])
        return
    fields = {key: value for key, value in given.items() if value is not None}
    recipe = recipe_with(parse_recipe({"kind": kind, **fields}), changes_of(changes or []))
    assert isinstance(recipe, Painting)
    dream(recipe, out, surface)


def dream(recipe: "Painting", out: Path | None, surface: Surface) -> None:
    """Carry out a recipe at the terminal, and print where its files went.

    Args:
        out: A .png file, or a folder; None writes into the current one, and over nothing.
    Raises:
        PhospheneError: as for `studio.run`; or `out` cannot be what is asked for.
    """
    recipe = recipe.with_seed()
    targets = targets_of(recipe, out)
    for target in targets:
        check_target(target)

    with tempfile.TemporaryDirectory(prefix="phosphene-") as folder:
        place = Path(folder) if recipe.leaves_files else None
        written = carried_out(recipe, place, targets, surface, over=out is not None)
    for path in written:
        print(printable(str(path)))


def carried_out(
    recipe: "Painting",
    folder: Path | None,
    targets: list[Path],
    surface: Surface,
    *,
    over: bool,
) -> list[Path]:
    """Carry out a recipe and write its pictures; returns where they and what belongs to them went.

    Args:
        folder: Of the run, which goes on from what is there; None keeps no files.
        targets: A file for each picture.
        over: Write over other files.
    Raises:
        PhospheneError: as for `studio.run`.
    """
    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.studio.craft import Painted
    from phosphene.studio.handing import hand_over
    from phosphene.studio.run import run
    from phosphene.zoo import Zoo

    waiting, written = iter(targets), []
    going = run(recipe, Zoo(), surface.device, folder, resume=True)
    with watched(going, f"{recipe.kind} {recipe.title[:40]}") as steps:
        for step in steps:
            for line in step.notes:
                note(f"phosphene: {printable(line)}")
            if isinstance(step, Painted) and step.artifact is not None:
                picture, target = step.artifact.png(), next(waiting)
                if not over:
                    target = free_name(target, picture, step.beside)
                written += hand_over(picture, step.beside, target)
    return written


def free_name(target: Path, content: bytes, endings: "Iterable[str]" = ()) -> Path:
    """A name that no other file has; the same picture again may take its own place.

    Args:
        endings: What follows the stem in the names of the files beside it.
    """
    path, number = target, 1
    while not _is_free(path, content, endings):
        number += 1
        path = target.with_stem(f"{target.stem}-{number}")
    return path


def targets_of(recipe: "Painting", out: Path | None) -> list[Path]:
    """Where each picture goes.

    Raises:
        RecipeError: several pictures for one file, or a file that is no .png.
    """
    from phosphene.studio.folder import slug

    names = [f"{slug(recipe.title)}-{label}.png" for label in recipe.labels()]
    if out is None:
        return [Path(name) for name in names]
    if out.suffix.lower() == ".png" and not out.is_dir():
        if len(names) > 1:
            hint = "; or ask for a --grid" if recipe.kind == "sample" else ""
            raise RecipeError(f"--out {str(out)!r}: {len(names)} pictures need a folder{hint}")
        return [out]
    if out.suffix and not out.is_dir():
        raise RecipeError(
            f"--out {str(out)!r}: pictures are written as .png, to carry their recipe"
        )
    return [out / name for name in names]


def _is_free(path: Path, content: bytes, endings: "Iterable[str]") -> bool:
    if path.exists():
        return path.is_file() and path.read_bytes() == content
    return not any(path.with_name(path.stem + ending).exists() for ending in endings)
