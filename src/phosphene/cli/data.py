"""`phosphene data`: build training data."""

import os
from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli.surface import printable, watched

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def options() -> None:
    """Build training data."""


@app.command()
def emoji(
    out: Annotated[Path, typer.Argument(help="A folder to make.")],
    size: Annotated[int, typer.Option(help="Side of a drawing in px, 16 to 1024.")] = 128,
) -> None:
    """Drawings of about 1,500 things in six styles, with names; needs npm, once.

    LICENCES.md in the folder says whose they are.
    """
    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.training.emoji import build_emoji

    with watched(build_emoji(out, size, workers=os.cpu_count() or 1), "drawing") as steps:
        for _ in steps:
            pass
    print(printable(str(out)))


@app.command()
def digits(out: Annotated[Path, typer.Argument(help="A folder to make.")]) -> None:
    """Real handwritten digits, 8 x 8 px, in a folder for each; needs pip, once.

    LICENCES.md in the folder says whose they are.
    """
    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.training.digits import build_digits

    with watched(build_digits(out), "writing") as steps:
        for _ in steps:
            pass
    print(printable(str(out)))


@app.command()
def glyphs(out: Annotated[Path, typer.Argument(help="A folder to make.")]) -> None:
    """Capitals and digits of about 100 typefaces, 32 px, in a folder for each; needs npm, once.

    LICENCES.md in the folder says whose they are.
    """
    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.training.glyphs import build_glyphs

    with watched(build_glyphs(out), "setting") as steps:
        for _ in steps:
            pass
    print(printable(str(out)))
