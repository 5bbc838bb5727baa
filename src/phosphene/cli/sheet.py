"""`phosphene sheet`: any field of a recipe against any other, as a table of pictures."""

import json
from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli.dream import dream
from phosphene.cli.surface import Context, changes_of, describe
from phosphene.core.errors import RecipeError


def sheet(
    context: Context,
    model: Annotated[str | None, typer.Argument(help="The model: a name or a path.")] = None,
    *,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="What changes across, then what changes down: psi=0:1:6, seed=0-7, "
            "style=flat,neon, or any field's values."
        ),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="What to paint; without one the pictures are samples.")
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(help='The same as --vary prompt=PROMPTS, between semicolons: "fox; red owl".'),
    ] = None,
    styles: Annotated[
        str | None,
        typer.Option(help='Words that follow a prompt, across: "painting; neon; pixel art".'),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of all pictures; one is drawn if not given.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="The same as --vary seed=SEEDS.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The sheet's .png file, or a folder.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other field of all pictures; `--set help` lists them.",
        ),
    ] = None,
) -> None:
    """Lay out what one or two fields of a recipe change, as a table with labels.

    The sheet goes to ./MODEL-by-FIELDS-SEED.png, with its recipe inside.
    """
    from phosphene.studio.recipe import Imagine, Sample, Sheet
    from phosphene.studio.recipe_text import parse_recipe, recipe_with
    from phosphene.studio.recipes.sheet import listed, sheet_fields

    entries = [*(vary or []), *([f"seed={seeds}"] if seeds else [])]
    # styles run across, prompts down
    for field, values in (("prompt", prompts), ("style", styles)):
        if values is not None:
            entries.insert(0, f"{field}={json.dumps(listed(values))}")
    fields = sheet_fields(entries, {"prompt": prompt, "model": model, "seed": seed})
    if changes == ["help"]:
        describe(Imagine if fields["of"]["kind"] == "imagine" else Sample)
        return
    if not entries:
        raise RecipeError("nothing varies; for example: --vary psi=0:1:6 --vary seed=0-7")
    # what all share is changed first: the sheet then checks the whole
    of = recipe_with(parse_recipe(fields["of"]), changes_of(changes or []))
    recipe = parse_recipe({"kind": "sheet", **fields, "of": of})
    assert isinstance(recipe, Sheet)
    dream(recipe, out, context.obj)
