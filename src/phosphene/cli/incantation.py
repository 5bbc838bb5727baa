"""`phosphene incantation`: do some words change the pictures, or does one only believe so?"""

from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli.dream import dream
from phosphene.cli.surface import Changes, Context, changes_of, describe
from phosphene.core.errors import RecipeError

PROMPTS = Path("docs/prompts.txt")


def incantation(
    context: Context,
    words: Annotated[
        str | None, typer.Argument(help='The words, such as "trending on artstation".')
    ] = None,
    *,
    prompts: Annotated[
        Path, typer.Option(help="A file with a prompt a line, painted with and without the words.")
    ] = PROMPTS,
    seeds: Annotated[str, typer.Option(help="Of each prompt's pictures; at least two.")] = "0-3",
    method: Annotated[str | None, typer.Option(help="How the pictures are found.")] = None,
    model: Annotated[
        str | None, typer.Option(help="The model that paints: a name or a path.")
    ] = None,
    iterations: Annotated[
        int | None, typer.Option("--iterations", "-i", help="Steps a picture.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(help="Perceptor that scores; if not given, the first of those that painted."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The sheet's .png file, or a folder.")
    ] = None,
    changes: Changes = None,
) -> None:
    """Paint prompts with and without some words, and say whether the words change the pictures.

    The sheet of all pairs goes to ./WORDS-incantation-SEED.png, with its recipe inside, and all
    numbers to the .json beside it. --set reaches the fields of the pictures, as for imagine.
    """
    from phosphene.studio.recipe import Imagine, Incantation
    from phosphene.studio.recipe_text import parse_recipe, recipe_with
    from phosphene.studio.recipes.incantation import read_prompts

    if changes == ["help"]:
        describe(Imagine)
        return
    if words is None:
        raise RecipeError("no words; for example: phosphene incantation 'trending on artstation'")
    given = {"method": method, "model": model, "iterations": iterations}
    fields = {key: value for key, value in given.items() if value is not None}
    # what all share is changed first: the experiment then checks the whole
    of = recipe_with(
        parse_recipe({"kind": "imagine", "prompt": "...", **fields}), changes_of(changes or [])
    )
    recipe = parse_recipe(
        {
            "kind": "incantation",
            "words": words,
            "prompts": read_prompts(prompts),
            "seeds": seeds,
            "of": of,
            "judge": judge,
        }
    )
    assert isinstance(recipe, Incantation)
    dream(recipe, out, context.obj)
