"""`phosphene edit`: a picture is moved along directions of the latent space."""

from pathlib import Path
from typing import Annotated, Any

import typer

from phosphene.cli.dream import dream_of
from phosphene.cli.surface import Changes, Context
from phosphene.core.errors import RecipeError


def edit(
    context: Context,
    what: Annotated[
        str | None,
        typer.Argument(help="A generator, or a picture that phosphene made (.png, sheet.png:3)."),
    ] = None,
    *,
    seed: Annotated[
        int | None, typer.Option(help="The generator's picture that is edited; drawn if not given.")
    ] = None,
    directions: Annotated[
        list[str] | None,
        typer.Option(
            "--direction", "-d", metavar="NAME:AMOUNT", help="A slider such as pc0:2; several add."
        ),
    ] = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            "--attribute",
            metavar="NAME=WITH/WITHOUT",
            help="A direction of your own, from seeds or pictures: smile=3,5,10-17/1,2.",
        ),
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="Of styles: coarse, middle, fine, all, 5 or 2-5.")
    ] = None,
    psi: Annotated[float | None, typer.Option(help="How far from the mean; 1 as it is.")] = None,
    sheet: Annotated[
        bool | None, typer.Option("--sheet", help="A row of pictures for each direction.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .png file, or a folder.")
    ] = None,
    changes: Changes = None,
) -> None:
    """Move a picture along directions: what changes most, what weights amplify, or your own.

    `--sheet` shows what each direction does, from -3 to 3 standard deviations; without
    `--direction` it shows the first six.
    """
    given: dict[str, Any] = {
        "seed": seed,
        "directions": None if directions is None else ",".join(directions),
        "attributes": None if attributes is None else dict(map(_pair, attributes)),
        "layers": layers,
        "psi": psi,
        "layout": "sheet" if sheet else None,
    }
    if what is not None:
        given["source" if _is_picture(what) else "model"] = what
    dream_of("edit", given, changes, out, context.obj)


def _is_picture(what: str) -> bool:
    path, colon, number = what.rpartition(":")
    return (path if colon and number.isdigit() else what).lower().endswith(".png")


def _pair(entry: str) -> tuple[str, str]:
    name, equals, examples = entry.partition("=")
    if not equals or not name.strip():
        raise RecipeError(f"--attribute {entry[:60]!r} is not name=with/without; as smile=3,5/1,2")
    return name.strip(), examples
