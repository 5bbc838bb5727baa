"""`phosphene invert`: a photo is looked for in a generator."""

from pathlib import Path
from typing import Annotated, Any

import typer

from phosphene.cli.dream import dream_of
from phosphene.cli.surface import Changes, Context
from phosphene.core.errors import RecipeError


def invert(
    context: Context,
    photo: Annotated[str | None, typer.Argument(help="The picture to find.")] = None,
    *,
    model: Annotated[str | None, typer.Option(help="A generator: a name or a path.")] = None,
    space: Annotated[
        str | None, typer.Option(help="z, w or w+; w+ for models with styles, if not given.")
    ] = None,
    iterations: Annotated[
        int | None, typer.Option("--iterations", "-i", help="Steps; 400 if not given.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Fixes the search; one is drawn if not given.")
    ] = None,
    video: Annotated[str | None, typer.Option(help="mp4 or gif: a film of the search.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .png file, or a folder.")
    ] = None,
    changes: Changes = None,
) -> None:
    """Look for a photo in a generator's latent space.

    What is found goes to ./PHOTO-MODEL-inverted.png, with its genes inside: `edit` and `breed` go
    on from it. The distance to the photo is told at the end.
    """
    if photo is None and changes != ["help"]:
        raise RecipeError("no photo; for example: phosphene invert me.jpg --model faces-dcgan")
    given: dict[str, Any] = {
        "photo": photo,
        "model": model,
        "space": space,
        "iterations": iterations,
        "seed": seed,
        "video": video,
    }
    dream_of("invert", given, changes, out, context.obj)
