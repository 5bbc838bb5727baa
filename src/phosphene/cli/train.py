"""`phosphene train`: a model learns from pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli.surface import Context, Surface, changes_of, note, printable, watched
from phosphene.core.errors import RecipeError

if TYPE_CHECKING:
    from phosphene.core.protocols import Step
    from phosphene.studio.recipe import Train


def train(
    context: Context,
    recipe: Annotated[Path, typer.Argument(help="What learns, and how: TOML or JSON.")],
    data: Annotated[
        str | None,
        typer.Argument(help="What it learns from: a set of `phosphene data`, a folder, or shards."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The run's folder; it resumes by itself.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a field, for example settings.ema=0.999."
        ),
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that share each batch; the weights stay the same."),
    ] = None,
) -> None:
    """Train a model, or go on training it.

    The folder holds the checkpoint, sample sheets, metrics.jsonl and, at the end, the weights. A
    run that was stopped, even by kill -9, goes on from its last checkpoint when it is called again.
    """
    from phosphene.studio.recipe import Train
    from phosphene.studio.recipe_text import load_recipe, recipe_with

    wanted = load_recipe(recipe)
    if not isinstance(wanted, Train):
        raise RecipeError(f"{str(recipe)!r} is no training recipe; `phosphene run` carries it out")
    wanted = recipe_with(wanted, changes_of(changes or []))
    learn(recipe_with(wanted, {"data": data} if data else {}), out, context.obj, devices)


def learn(recipe: "Train", out: Path | None, surface: Surface, devices: int | None = None) -> None:
    """Carry out a training recipe at the terminal, in one process or several."""
    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.studio.folder import RUNS
    from phosphene.studio.run import run
    from phosphene.training.processes import together
    from phosphene.zoo import Zoo

    folder = out or (Path(recipe.output) if recipe.output else RUNS / f"train-{recipe.name}")
    with together(devices) as team:
        going = run(recipe, Zoo(), surface.device, folder, team=team)
        if not team.leads:
            for _ in going:  # what there is to see, the first process shows
                pass
            return
        try:
            _show(going, recipe.name)
        except KeyboardInterrupt:
            note(f"stopped; the same command goes on from {printable(str(folder))}")
            raise
    print(printable(str(folder / f"{recipe.name}.safetensors")))


def _show(going: "Iterator[Step]", name: str) -> None:
    with watched(going, f"training {name}") as steps:
        for step in steps:
            for line in step.notes:
                note(f"phosphene: {printable(line)}")
            if "rolled_back" in step.scalars:
                back = round(step.scalars["rolled_back"])
                note(f"the run died; it goes on from step {back}, slower: see metrics.jsonl")
