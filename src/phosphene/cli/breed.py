"""`phosphene breed`: parents have children."""

from pathlib import Path
from typing import Annotated, Any

import typer

from phosphene.cli.dream import dream_of
from phosphene.cli.surface import Changes, Context


def breed(
    context: Context,
    model: Annotated[
        str | None, typer.Argument(help="A generator; not needed where parents are pictures.")
    ] = None,
    *,
    parents: Annotated[
        str | None,
        typer.Option(help="Seeds or pictures that phosphene made: 3,8 or a.png,sheet.png:2."),
    ] = None,
    children: Annotated[
        int | None, typer.Option("--children", "-n", help="How many; 8 if not given.")
    ] = None,
    mutation: Annotated[
        float | None, typer.Option(help="How far children turn towards a stranger, 0 to 1.")
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="Where genes are crossed: z, w, w+ or class.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the first child; one is drawn if not given.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help="sheet, files (one a child) or tree (everyone).")
    ] = None,
    tree: Annotated[
        str | None, typer.Option(help="A family tree, .tree.json: go on with it, or paint it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .png file, or a folder for several.")
    ] = None,
    changes: Changes = None,
) -> None:
    """Cross and mutate pictures of a generator.

    A sheet of parents and children goes to ./MODEL-PARENTS-children.png, with the recipe inside;
    the family tree lies beside it as .tree.json. A child can be a parent in turn.
    """
    given: dict[str, Any] = {
        "model": model,
        "parents": parents,
        "children": children,
        "mutation": mutation,
        "space": space,
        "seed": seed,
        "layout": layout,
        "tree": tree,
    }
    dream_of("breed", given, changes, out, context.obj)
