"""`phosphene models`: what is here, whose it is, what it was trained on."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli.surface import Context, note, printable
from phosphene.core.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phosphene.zoo import Card
    from phosphene.zoo.download import Progress

app = typer.Typer(rich_markup_mode=None)

COLUMNS = ("name", "family", "size", "weights", "licence", "trained on", "from", "here")


@app.callback(invoke_without_command=True)
def models(context: Context) -> None:
    """List the models: family, size, licence, data, and where the weights come from."""
    if context.invoked_subcommand is not None:
        return
    from phosphene.zoo import cards, home
    from phosphene.zoo.registry import user_cards

    place = home()
    rows = [_row(card, place) for card in cards(place)]
    if sys.stdout.isatty():
        _table(rows)
    else:
        for row in rows:
            print(printable("\t".join(row)).replace("\\t", "\t"))
    for complaint in user_cards(place)[1]:
        note(f"phosphene: {printable(complaint)}")


@app.command()
def info(name: Annotated[str, typer.Argument(help="A model's name or path.")]) -> None:
    """Show a model's card."""
    from phosphene.zoo import card, home
    from phosphene.zoo.fetch import is_here

    place = home()
    found = card(name, place)
    entries = {
        **found.model_dump(mode="json", exclude_defaults=True),
        "from": found.origin,
        "here": "yes" if is_here(found, place) else f"no; `phosphene models pull {found.name}`",
    }
    for key, value in entries.items():
        print(printable(f"{key}: {value}"))


@app.command()
def pull(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A model's name; or org/name[@revision] of a CLIP or Stable Diffusion on the hub."
        ),
    ] = None,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="All that the embedded models stand on.")
    ] = False,
) -> None:
    """Fetch weights, and those they need, once; they are checked against their sha256."""
    from phosphene.zoo import home
    from phosphene.zoo.fetch import pull as pulling

    if embedded == (name is not None):
        raise RecipeError("name one model, or give --embedded; `phosphene models` lists all")
    place = home()
    names = [name] if name is not None else _foundations()
    for wanted in names:
        _watch_bytes(pulling(wanted, place))


@app.command()
def convert(
    kind: Annotated[str, typer.Argument(help="Where it comes from: taming, stylegan2, biggan.")],
    checkpoint: Annotated[Path, typer.Argument(help="The published checkpoint, or its folder.")],
    name: Annotated[str, typer.Option(help="What to call the model here.")],
    config: Annotated[
        Path | None, typer.Argument(help="The .yaml or .json published with it.")
    ] = None,
) -> None:
    """Turn a published checkpoint into a model of your own zoo; no code in it is run."""
    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.zoo import home
    from phosphene.zoo.convert import convert as converting

    card = converting(kind, checkpoint, config, name, home())
    print(printable(card.name))


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="A model of the diffusion family: name or path.")],
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
) -> None:
    """Write a latent diffusion model as a folder that the diffusers library opens."""
    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.core.errors import Unsupported
    from phosphene.families.diffusion.folder import write_folder
    from phosphene.families.diffusion.latent import LatentDiffusion
    from phosphene.zoo import Zoo, home

    model = Zoo(home()).load(name)
    if not isinstance(model, LatentDiffusion):
        raise Unsupported(
            f"{name[:80]!r} is no latent diffusion of phosphene's; the others are read, not written"
        )
    write_folder(model.flow, folder)
    print(printable(str(folder)))


def _foundations() -> list[str]:
    """The fetched models that embedded ones stand on."""
    from phosphene.zoo.registry import shipped_cards

    shipped = shipped_cards()
    needed = {need for card in shipped if card.file is not None for need in card.needs}
    fetched = {card.name for card in shipped if card.wheel is not None}
    return sorted(needed & fetched or fetched)


def _row(card: "Card", home: Path) -> tuple[str, ...]:
    from phosphene.zoo.fetch import is_here

    return (
        card.name,
        card.family,
        f"{card.size} px" if card.size else "-",
        f"{card.bytes / 1e6:.0f} MB",
        card.licence,
        card.trained_on,
        card.origin,
        "yes" if is_here(card, home) else "no",
    )


def _table(rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*COLUMNS, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console().print(table)


def _watch_bytes(steps: "Iterator[Progress]") -> None:
    """Show downloads: a bar on a terminal, else one line a model."""
    if not sys.stderr.isatty():
        for progress in steps:
            if progress.done == progress.total:
                note(f"{progress.name}: here, {progress.total / 1e6:.0f} MB")
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Bar(*columns, TransferSpeedColumn(), console=Console(stderr=True)) as bar:
        tasks = {}
        for progress in steps:
            if progress.name not in tasks:
                tasks[progress.name] = bar.add_task(progress.name, total=progress.total)
            bar.update(tasks[progress.name], completed=progress.done)
