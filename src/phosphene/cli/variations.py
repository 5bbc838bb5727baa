"""`phosphene variations`: pictures like a picture, by painting over a part of it."""

from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli.paint import paint
from phosphene.cli.surface import Changes, Context, Surface, changes_of, describe
from phosphene.core.errors import RecipeError


def variations(
    context: Context,
    image: Annotated[str, typer.Argument(help="A picture: of phosphene, or any other.")],
    *,
    prompt: Annotated[
        str | None, typer.Option(help="What it shows; the prompt it carries if not given.")
    ] = None,
    strength: Annotated[
        float, typer.Option(help="How much is painted over: 0.2 keeps nearly all, 1 nothing.")
    ] = 0.6,
    count: Annotated[int, typer.Option("--count", "-n", help="Pictures.")] = 4,
    method: Annotated[str | None, typer.Option(help="diffusion or guided-diffusion.")] = None,
    model: Annotated[
        str | None, typer.Option(help="The model that paints: a name or a path.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Fixes the pictures; one is drawn if not given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .png file, or a folder for several.")
    ] = None,
    changes: Changes = None,
) -> None:
    """Paint variations of a picture.

    It is noised up to a point and denoised again as its words say, so that large shapes stay and
    details are found anew; each seed is another variation. Any field of `imagine` is an option.
    """
    from phosphene.studio.recipe import Imagine
    from phosphene.studio.recipe_text import parse_recipe, recipe_with

    surface: Surface = context.obj
    if changes == ["help"]:
        describe(Imagine)
        return
    given = {
        "prompt": prompt or _prompt_of(Path(image)),
        "method": method or "diffusion",
        "model": model,
        "init_image": image,
        "strength": strength,
        "count": count,
        "seed": seed,
    }
    given = {key: value for key, value in given.items() if value is not None}
    recipe = parse_recipe({"kind": "imagine", **given})
    assert isinstance(recipe, Imagine)
    paint(recipe_with(recipe, changes_of(changes or [])), out, surface)


def _prompt_of(path: Path) -> str:
    """The words that a picture was painted from.

    Raises:
        RecipeError: it carries none.
    """
    from phosphene.core.errors import ImageError
    from phosphene.studio.artifact import read_artifact

    try:
        manifest = read_artifact(path).manifest
    except ImageError as error:
        if not path.is_file():
            raise
        raise RecipeError(
            f"{str(path)[:200]!r} does not say what it shows ({error}); say it with --prompt"
        ) from None
    words = manifest.prompt or getattr(manifest.recipe, "prompt", "")
    if not words:
        raise RecipeError(
            f"{str(path)[:200]!r} was not painted from words; say what it shows with --prompt"
        )
    return str(words)
