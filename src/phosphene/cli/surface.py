"""What all commands share: the device, progress on the terminal, and safe printing."""

import os
import sys
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.core.errors import RecipeError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from typer import Context as Context  # noqa: PLC0414 (says that it is ours to export)

    from phosphene.core.protocols import Step

else:
    # typer passes an instance of the base class, which checks of types at run time notice
    Context = typer.Context.__base__

# `--set` of the commands that make a recipe
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other field; `--set help` lists them."),
]

NUM_LINES = 10  # progress lines where there is no terminal
SHORT = {"seconds_per_kimg": "s/kimg"}  # names that the line has no room for


@dataclass(frozen=True, slots=True)
class Surface:
    """Options that stand before the command.

    Args:
        device: Where to compute.
    """

    device: str = "cpu"


def printable(text: str) -> str:
    """One line without control characters, which could redraw the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def note(line: str) -> None:
    """Tell the person at the terminal; standard output is for results."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def watched(steps: "Iterator[Step]", title: str) -> "Iterator[Iterator[Step]]":
    """Show how far steps are while they are consumed: a bar on a terminal, else a few lines.

    Whatever happens in the block, the steps are closed when it ends: a run then keeps the best so
    far, before anything is said about it.
    """
    shown = (_bar if sys.stderr.isatty() else _lines)(steps, title)
    try:
        yield shown
    finally:
        for going in (shown, steps):
            if isinstance(going, Generator):
                going.close()


def _bar(steps: "Iterator[Step]", title: str) -> "Iterator[Step]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeRemaining

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemaining(),
        TextColumn("{task.fields[numbers]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(printable(title), total=None, numbers="")
        for step in steps:
            if _only_notes(step):
                yield step
                continue
            shown = numbers_of(step)
            progress.update(task, total=step.total, completed=step.index + 1)
            if shown:
                progress.update(task, numbers=shown)
            yield step


def _lines(steps: "Iterator[Step]", title: str) -> "Iterator[Step]":
    said = -1
    for step in steps:
        if _only_notes(step):
            yield step
            continue
        tenth = (step.index + 1) * NUM_LINES // step.total
        if tenth > said:
            note(f"{printable(title)}: {step.index + 1}/{step.total} {numbers_of(step)}".rstrip())
            said = tenth
        yield step


def _only_notes(step: "Step") -> bool:
    """Whether nothing has been done yet: there are just words, for whoever watches to say."""
    return bool(step.notes) and not step.scalars and step.view is None


def numbers_of(step: "Step", limit: int = 6) -> str:
    """The first scalars of a step, short; which picture it is shows in its index."""
    shown = [(name, value) for name, value in step.scalars.items() if name != "picture"][:limit]
    return "  ".join(f"{SHORT.get(name, name)} {value:.4g}" for name, value in shown)


def check_target(path: Path) -> None:
    """See early that a file can be written later, without writing anything.

    Raises:
        RecipeError: a file stands where a folder is needed, or the folder is not writable.
    """
    folder = next((p for p in (path, *path.parents) if p.exists() and p != path), path.parent)
    if path.is_dir():
        raise RecipeError(f"cannot write {str(path)!r}: it is a folder")
    if not folder.is_dir():
        raise RecipeError(f"cannot write {str(path)!r}: {str(folder)!r} is not a folder")
    if not os.access(folder, os.W_OK):
        raise RecipeError(f"cannot write {str(path)!r}: permission denied; choose another folder")


def describe(kind: "type[BaseModel]", leave_out: Collection[str] = ()) -> None:
    """Print the fields of a kind of recipe: name, default, meaning."""
    for name, field in kind.model_fields.items():
        if name in leave_out:
            continue
        default = (
            "" if field.is_required() else f" = {field.get_default(call_default_factory=True)}"
        )
        print(f"{name}{default}\n    {field.description or ''}".rstrip())


def changes_of(entries: list[str]) -> dict[str, str]:
    """Read `key=value` entries of --set.

    Raises:
        RecipeError: one without `=`.
    """
    changes = {}
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not equals or not key.strip():
            raise RecipeError(f"--set {entry[:80]!r} is not key=value; for example tv_weight=0.1")
        changes[key.strip()] = value
    return changes
