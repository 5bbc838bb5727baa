"""`phosphene replay`: is it the same picture?"""

from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli.surface import Context, Surface, printable, watched


def replay(
    context: Context,
    picture: Annotated[Path, typer.Argument(help="A PNG that phosphene made.")],
) -> None:
    """Paint the recipe in a picture again, and say whether it is the same picture.

    Prints `identical` and exits 0; or says how far apart the two are and what differs, exit 1.
    """
    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.studio.replay import Replayed, replaying
    from phosphene.zoo import Zoo

    surface: Surface = context.obj
    verdict = None
    with watched(replaying(picture, Zoo(), surface.device), picture.name) as steps:
        for step in steps:
            if isinstance(step, Replayed):
                verdict = step.verdict
    assert verdict is not None
    if verdict.identical:
        print("identical")
        return
    print(f"differs: by at most {verdict.max_difference} of 255, PSNR {verdict.psnr_db:.1f} dB")
    for reason in verdict.reasons or ("nothing else is known to differ; please report this",):
        print(f"  {printable(reason)}")
    raise typer.Exit(1)
