"""`phosphene run`: carry out a recipe from a file."""

from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli.paint import paint
from phosphene.cli.sample import dream
from phosphene.cli.surface import Context, Surface, changes_of
from phosphene.cli.train import learn


def run(
    context: Context,
    recipe: Annotated[Path, typer.Argument(help="A recipe: TOML or JSON.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where the result goes.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a field of the recipe."),
    ] = None,
) -> None:
    """Carry out a recipe from a file."""
    from phosphene.studio.recipe import Imagine, Sample
    from phosphene.studio.recipe_text import load_recipe, recipe_with

    surface: Surface = context.obj
    wanted = load_recipe(recipe)
    if isinstance(wanted, Imagine):
        paint(recipe_with(wanted, changes_of(changes or [])), out, surface)
    elif isinstance(wanted, Sample):
        dream(recipe_with(wanted, changes_of(changes or [])), out, surface)
    else:
        learn(recipe_with(wanted, changes_of(changes or [])), out, surface)
