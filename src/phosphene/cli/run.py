"""`phosphene run`: carry out a recipe from a file."""

from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli.dream import dream
from phosphene.cli.paint import paint
from phosphene.cli.shoot import shoot
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
    from phosphene.studio.recipe import Animate, Imagine, Painting, Train
    from phosphene.studio.recipe_text import load_recipe, recipe_with

    surface: Surface = context.obj
    wanted = recipe_with(load_recipe(recipe), changes_of(changes or []))
    match wanted:
        case Imagine():
            paint(wanted, out, surface)
        case Animate():
            shoot(wanted, out, surface)
        case Train():
            learn(wanted, out, surface)
        case Painting():
            dream(wanted, out, surface)
