"""`phosphene sample`: pictures that a generator dreams of."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli.surface import Context, Surface, changes_of, check_target, printable, watched
from phosphene.core.errors import RecipeError

if TYPE_CHECKING:
    from phosphene.studio.recipe import Sample


def sample(
    context: Context,
    model: Annotated[str | None, typer.Argument(help="A generator: a name or a path.")] = None,
    *,
    count: Annotated[
        int | None, typer.Option("--count", "-n", help="Pictures, of seeds SEED, SEED + 1, ...")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Fixes the pictures; one is drawn if not given.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="These seeds instead, for example 3,5,10-17.")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="Names or numbers that take turns, or mixtures: fox:0.5+owl:0.5."),
    ] = None,
    grid: Annotated[
        bool | None, typer.Option("--grid/--files", help="One sheet, or a file each.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .png file, or a folder for several.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other field of the recipe."),
    ] = None,
) -> None:
    """Paint what a generator dreams of, one picture a seed.

    The pictures go to ./MODEL-SEED.png, or to one sheet, with their recipe inside.
    """
    from phosphene.studio.recipe import Sample
    from phosphene.studio.recipe_text import parse_recipe, recipe_with

    given: dict[str, Any] = {
        "model": model,
        "count": count,
        "seed": seed,
        "seeds": seeds,
        "classes": classes,
        "layout": None if grid is None else "grid" if grid else "files",
    }
    given = {key: value for key, value in given.items() if value is not None}
    recipe = parse_recipe({"kind": "sample", **given})
    assert isinstance(recipe, Sample)
    dream(recipe_with(recipe, changes_of(changes or [])), out, context.obj)


def dream(recipe: "Sample", out: Path | None, surface: Surface) -> None:
    """Carry out a sampling recipe at the terminal.

    Raises:
        PhospheneError: as for `studio.run`; or `out` cannot be what is asked for.
    """
    from phosphene.studio.recipe import with_seed

    recipe = with_seed(recipe)
    targets = targets_of(recipe, out)
    for target in targets:
        check_target(target)

    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.core.files import write_bytes
    from phosphene.studio.artifact import Painted
    from phosphene.studio.run import run
    from phosphene.zoo import Zoo

    waiting, written = iter(targets), []
    with watched(run(recipe, Zoo(), surface.device), f"sampling {recipe.model}") as steps:
        for step in steps:
            if isinstance(step, Painted) and step.artifact is not None:
                target, picture = next(waiting), step.artifact.png()
                written.append(target if out is not None else free_name(target, picture))
                write_bytes(written[-1], picture)
    for target in written:
        print(printable(str(target)))


def free_name(target: Path, content: bytes) -> Path:
    """A name that no other file has; the same picture again may take its own place."""
    path, number = target, 1
    while path.exists() and (not path.is_file() or path.read_bytes() != content):
        number += 1
        path = target.with_stem(f"{target.stem}-{number}")
    return path


def targets_of(recipe: "Sample", out: Path | None) -> list[Path]:
    """Where each picture goes.

    Raises:
        RecipeError: several pictures for one file, or a file that is no .png.
    """
    from phosphene.studio.folder import slug

    seeds = recipe.all_seeds()
    stem = slug(Path(recipe.model).stem if recipe.model.endswith(".safetensors") else recipe.model)
    names = [f"{stem}-{seed}.png" for seed in seeds]
    if recipe.layout == "grid":
        names = [f"{stem}-{seeds[0]}-grid.png"]
    if out is None:
        return [Path(name) for name in names]
    if out.suffix.lower() == ".png" and not out.is_dir():
        if len(names) > 1:
            raise RecipeError(
                f"--out {str(out)!r}: {len(names)} pictures need a folder; or ask for a --grid"
            )
        return [out]
    if out.suffix and not out.is_dir():
        raise RecipeError(
            f"--out {str(out)!r}: pictures are written as .png, to carry their recipe"
        )
    return [out / name for name in names]
