"""`phosphene imagine`: words become pictures.

Ten options are written by hand, those that people reach for; every other field of the recipe is
an option of its own name, too, and `phosphene run` takes all of them from a file.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from phosphene.cli.paint import paint, resume_run
from phosphene.cli.surface import Changes, Context, Surface, changes_of, describe
from phosphene.core.errors import RecipeError


def fields() -> Collection[str]:
    """What can be changed: each is an option."""
    from phosphene.studio.recipe import Imagine

    return Imagine.model_fields


def imagine(
    context: Context,
    prompt: Annotated[
        str | None,
        typer.Argument(
            help="What to paint: phrases between |, each `text`, `text:weight` or "
            "`text:weight:stop`; ^ separates the scenes of a story.",
        ),
    ] = None,
    *,
    method: Annotated[str | None, typer.Option(help="How the picture is found.")] = None,
    model: Annotated[
        str | None, typer.Option(help="The model that paints: a name or a path.")
    ] = None,
    iterations: Annotated[
        int | None, typer.Option("--iterations", "-i", help="Steps a picture.")
    ] = None,
    size: Annotated[
        tuple[int, int] | None, typer.Option(metavar="W H", help="Width and height in px.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Fixes the picture; one is drawn if not given.")
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", help="Pictures, of seeds SEED, SEED + 1, ...")
    ] = None,
    init: Annotated[str | None, typer.Option(help="A picture to start from.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .png file, or a folder for several.")
    ] = None,
    video: Annotated[
        str | None, typer.Option(help="mp4 or gif: a film of how it came to be.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with an interrupted run: its folder.")
    ] = None,
    changes: Changes = None,
) -> None:
    """Paint a picture from words.

    The picture goes to ./WORDS-SEED.png, with its recipe inside. While it is being painted, it can
    be watched in a folder below phosphene-runs/; if it is interrupted, the best so far stays there.
    Every other field of the recipe is an option, too: --set help lists them.
    """
    from phosphene.studio.recipe import Imagine
    from phosphene.studio.recipe_text import parse_recipe, recipe_with

    surface: Surface = context.obj
    if changes == ["help"]:
        describe(Imagine)
        return
    given: dict[str, Any] = {
        "prompt": prompt,
        "method": method,
        "model": model,
        "iterations": iterations,
        "seed": seed,
        "count": count,
        "init_image": init,
        "video": video,
    }
    if size is not None:
        given["width"], given["height"] = size
    given = {key: value for key, value in given.items() if value is not None}
    if resume is not None:
        if given or changes:
            raise RecipeError("--resume goes on with the run's own recipe; leave the rest out")
        resume_run(resume, out, surface)
        return
    if prompt is None:
        raise RecipeError("no prompt; for example: phosphene imagine 'green heart | flat'")
    recipe = parse_recipe({"kind": "imagine", **given})
    assert isinstance(recipe, Imagine)
    paint(recipe_with(recipe, changes_of(changes or [])), out, surface)
