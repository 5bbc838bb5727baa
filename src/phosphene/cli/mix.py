"""`phosphene mix`: a sheet of style mixing."""

from pathlib import Path
from typing import Annotated, Any

import typer

from phosphene.cli.dream import dream_of
from phosphene.cli.surface import Changes, Context


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
    changes: Changes = None,
) -> None:
    """Mix styles: each picture of a sheet has its row's, and in some layers its column's.

    The sheet goes to ./MODEL-mix-LAYERS-SEED.png, with its recipe inside.
    """
    given: dict[str, Any] = {
        "model": model,
        "rows": rows,
        "columns": columns,
        "layers": layers,
        "truncation_psi": psi,
    }
    dream_of("mix", given, changes, out, context.obj)
