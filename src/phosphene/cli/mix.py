"""`phosphene mix`: a sheet of style mixing."""

from pathlib import Path
from typing import Annotated, Any

import typer

from phosphene.cli.dream import dream
from phosphene.cli.surface import Context, changes_of, describe


def mix(
    context: Context,
    model: Annotated[str, typer.Argument(help="A generator with styles: a name or a path.")],
    *,
    rows: Annotated[
        str | None, typer.Option(help="Seeds that give the styles, for example 3,5,10-17; 0-3.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Seeds that give the styles of some layers; 4-9.")
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(help="Which layers: coarse, middle, fine, all, or 0-3; coarse."),
    ] = None,
    psi: Annotated[float | None, typer.Option(help="truncation_psi, 0 or above.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The sheet's .png file, or a folder.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Any other field; `--set help` lists them."
        ),
    ] = None,
) -> None:
    """Mix styles: each picture of a sheet has its row's, and in some layers its column's.

    The sheet goes to ./MODEL-mix-LAYERS-SEED.png, with its recipe inside.
    """
    from phosphene.studio.recipe import Mix
    from phosphene.studio.recipe_text import parse_recipe, recipe_with

    if changes == ["help"]:
        describe(Mix)
        return
    given: dict[str, Any] = {
        "model": model,
        "rows": rows,
        "columns": columns,
        "layers": layers,
        "truncation_psi": psi,
    }
    given = {key: value for key, value in given.items() if value is not None}
    recipe = parse_recipe({"kind": "mix", **given})
    assert isinstance(recipe, Mix)
    dream(recipe_with(recipe, changes_of(changes or [])), out, context.obj)
