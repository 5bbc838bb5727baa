"""`phosphene animate`: a film, frame by frame from words, under a camera that moves."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from phosphene.cli.shoot import resume_shoot, shoot
from phosphene.cli.surface import Changes, Context, Surface, changes_of, describe
from phosphene.core.errors import RecipeError


def fields() -> Collection[str]:
    """What can be changed: the film's fields, and those of its pictures."""
    from phosphene.studio.recipe import Animate, Imagine

    return {*Animate.model_fields, *Imagine.model_fields}


def animate(
    context: Context,
    prompt: Annotated[
        str | None, typer.Argument(help="What to paint, as for imagine; --prompts changes it.")
    ] = None,
    *,
    prompts: Annotated[
        str | None, typer.Option(help='Words from a frame on: "0: a fox; 30: an owl".')
    ] = None,
    num_frames: Annotated[
        int | None, typer.Option("--num-frames", "-n", help="Pictures of the film; 60.")
    ] = None,
    zoom: Annotated[
        str | None, typer.Option(help="Growth a frame: 1.02, or keyframes 0:1, 30:1.05, 60:1.")
    ] = None,
    angle: Annotated[str | None, typer.Option(help="Degrees a frame, the same way.")] = None,
    strength: Annotated[
        str | None, typer.Option(help="Share of each frame that is painted over, the same way.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="diffusion, guided-diffusion or vqgan-clip.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of frame 0; frame k has SEED + k. Drawn if not given.")
    ] = None,
    video: Annotated[str | None, typer.Option(help="mp4, the default, or gif.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The strip's .png file, or a folder.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with an interrupted run: its folder.")
    ] = None,
    changes: Changes = None,
) -> None:
    """Paint a film: each frame goes on from the one before it, moved by a camera.

    A strip of frames goes to ./WORDS-animation-SEED.png, with the recipe inside, and the film
    beside it. Frames are kept below phosphene-runs/ until it has finished, and --resume goes on
    from them. Every other field of it and of `imagine` is an option, too: --set help lists them.
    """
    surface: Surface = context.obj
    if changes == ["help"]:
        _describe()
        return
    film: dict[str, Any] = {
        "prompts": prompts,
        "num_frames": num_frames,
        "zoom": zoom,
        "angle": angle,
        "strength": strength,
        "video": video,
    }
    film = {key: value for key, value in film.items() if value is not None}
    picture = {"prompt": prompt, "method": method, "seed": seed}
    picture = {key: value for key, value in picture.items() if value is not None}
    if resume is not None:
        if film or picture or changes:
            raise RecipeError("--resume goes on with the run's own recipe; leave the rest out")
        resume_shoot(resume, out, surface)
        return
    if prompt is None and prompts is None:
        raise RecipeError("no prompt; for example: phosphene animate 'a fox' --zoom 1.03")

    from phosphene.studio.recipe import Animate
    from phosphene.studio.recipe_text import parse_recipe, recipe_with

    recipe = parse_recipe({"kind": "animate", **film, "of": picture})
    assert isinstance(recipe, Animate)
    shoot(recipe_with(recipe, _placed(changes_of(changes or []))), out, surface)


def _placed(changes: Mapping[str, str]) -> dict[str, str]:
    """Changes of fields that only the pictures have reach inside: `model` is `of.model`."""
    from phosphene.studio.recipe import Animate, Imagine

    own, inner = Animate.model_fields, Imagine.model_fields
    return {
        f"of.{key}" if (name := key.split(".")[0]) in inner and name not in own else key: value
        for key, value in changes.items()
    }


def _describe() -> None:
    """Print the film's fields, and those of its pictures that it has none of the same name for."""
    from phosphene.studio.recipe import Animate, Imagine

    describe(Animate)
    describe(Imagine, leave_out={*Animate.model_fields})
