"""`phosphene walk`: a film of a path through a generator's latent space."""

from pathlib import Path
from typing import Annotated, Any

import typer

from phosphene.cli.dream import dream_of
from phosphene.cli.surface import Changes, Context


def walk(
    context: Context,
    model: Annotated[str | None, typer.Argument(help="A generator: a name or a path.")] = None,
    path: Annotated[
        str | None,
        typer.Argument(help="What moves, such as 'z = 7 ~ 8 ~ 9; loop' or 'rotary(7, 8)'."),
    ] = None,
    *,
    seed: Annotated[
        int | None, typer.Option(help="Of what the path does not move; drawn if not given.")
    ] = None,
    num_frames: Annotated[
        int | None, typer.Option("--num-frames", "-n", help="Pictures of the film; 60.")
    ] = None,
    video: Annotated[str | None, typer.Option(help="mp4 or gif: make a film.")] = None,
    frames: Annotated[bool | None, typer.Option("--frames", help="Keep the frames, too.")] = None,
    even: Annotated[
        bool | None,
        typer.Option("--even/--uneven", help="Space frames by what is seen; it is the default."),
    ] = None,
    psi: Annotated[float | None, typer.Option(help="truncation_psi, 0 or above.")] = None,
    threshold: Annotated[float | None, typer.Option(help="truncation_threshold, above 0.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The strip's .png file, or a folder.")
    ] = None,
    changes: Changes = None,
) -> None:
    """Walk through a generator's latent space.

    A strip of frames goes to ./MODEL-walk-SEED.png, with the recipe inside; film and frames lie
    beside it. docs/paths.md tells what a path can be.
    """
    given: dict[str, Any] = {
        "model": model,
        "path": path,
        "seed": seed,
        "num_frames": num_frames,
        "video": video,
        "keep_frames": frames,
        "even": even,
        "truncation_psi": psi,
        "truncation_threshold": threshold,
    }
    dream_of("walk", given, changes, out, context.obj)
