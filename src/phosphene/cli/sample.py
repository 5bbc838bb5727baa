"""`phosphene sample`: pictures that a generator dreams of."""

from pathlib import Path
from typing import Annotated, Any

import typer

from phosphene.cli.dream import dream_of
from phosphene.cli.surface import Changes, Context


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
    psi: Annotated[float | None, typer.Option(help="truncation_psi, 0 or above.")] = None,
    threshold: Annotated[float | None, typer.Option(help="truncation_threshold, above 0.")] = None,
    transparent: Annotated[
        bool | None,
        typer.Option("--transparent/--opaque", help="Of RGBA models: keep the ground clear."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .png file, or a folder for several.")
    ] = None,
    changes: Changes = None,
) -> None:
    """Paint what a generator dreams of, one picture a seed.

    The pictures go to ./MODEL-SEED.png, or to one sheet, with their recipe inside.
    """
    given: dict[str, Any] = {
        "model": model,
        "count": count,
        "seed": seed,
        "seeds": seeds,
        "classes": classes,
        "truncation_psi": psi,
        "truncation_threshold": threshold,
        "transparent": transparent,
        "layout": None if grid is None else "grid" if grid else "files",
    }
    dream_of("sample", given, changes, out, context.obj)
