"""`phosphene gallery`: the studio's pictures from the terminal: repair, import, export, backups."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli.serve import SHARE, DatabaseOption, ShareOption, demand_installed
from phosphene.cli.surface import check_target, note, printable
from phosphene.core.errors import PhospheneError, RecipeError, WrongState

if TYPE_CHECKING:
    from phosphene.studio.studio import Studio

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The gallery: repair, import, export, backups.",
)


@app.command("repair")
def repair_command(
    share_dir: ShareOption = SHARE,
    database: DatabaseOption = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only look; exit 1 if anything is.")
    ] = False,
) -> None:
    """Make disk and database agree, and check that they do; while no server runs."""
    demand_installed()
    from dataclasses import fields

    from phosphene.studio.repair import inspect, repair
    from phosphene.studio.studio import open_studio

    studio = open_studio(_existing(share_dir), database)
    try:
        if not check:
            _demand_quiet(studio)
        report = inspect(studio) if check else repair(studio)
    finally:
        studio.close()
    for field in fields(report):
        for name in getattr(report, field.name):
            print(f"{field.name.replace('_', ' ')}: {printable(name)}")
    if report.is_clean:
        note("phosphene: disk and database agree")
    elif check:
        raise typer.Exit(1)


@app.command("import")
def import_command(
    pictures: Annotated[list[Path], typer.Argument(help="PNGs that carry a recipe.")],
    *,
    share_dir: ShareOption = SHARE,
    database: DatabaseOption = None,
) -> None:
    """Bring in PNGs of phosphene, AUTOMATIC1111 or ComfyUI; prints their ids."""
    demand_installed()
    from phosphene.studio.importing import import_file
    from phosphene.studio.studio import open_studio

    studio, failed = open_studio(share_dir.absolute(), database), 0
    try:
        for path in pictures:
            try:
                entry = import_file(studio.gallery, path)
            except PhospheneError as error:
                failed += 1
                note(f"phosphene: {printable(str(path))}: {printable(str(error))}")
                continue
            print(entry.id)
            if entry.foreign:
                left = ", ".join(sorted(entry.foreign["unmapped"])) or "nothing"
                note(f"phosphene: of {entry.foreign['program']}; kept without meaning here: {left}")
    finally:
        studio.close()
    if failed:
        raise RecipeError(f"{failed} of {len(pictures)} pictures could not be imported")


@app.command("export")
def export_command(
    out: Annotated[Path, typer.Argument(help="The zip to write.")],
    *,
    words: Annotated[str, typer.Option(help="Only pictures with these words.")] = "",
    favourites: Annotated[bool, typer.Option("--favourites", help="Only favourites.")] = False,
    share_dir: ShareOption = SHARE,
    database: DatabaseOption = None,
) -> None:
    """Write pictures, with their recipes, into a zip."""
    demand_installed()
    check_target(out)
    from phosphene.core.files import write_atomic
    from phosphene.studio.exporting import found, write_zip
    from phosphene.studio.gallery import Search
    from phosphene.studio.studio import open_studio

    studio = open_studio(_existing(share_dir), database)
    search = Search(words=words, favourite=True if favourites else None)

    def fill(path: Path) -> None:
        with path.open("wb") as file:
            count = write_zip(studio.gallery, found(studio.gallery, search), file)
        note(f"phosphene: {count} pictures")

    try:
        write_atomic(out, fill)
    finally:
        studio.close()
    print(printable(str(out)))


@app.command("backup")
def backup_command(
    out: Annotated[Path, typer.Argument(help="The zip to write.")],
    *,
    share_dir: ShareOption = SHARE,
    database: DatabaseOption = None,
) -> None:
    """Write the whole studio, its queue too, into a zip; a server may run."""
    demand_installed()
    check_target(out)
    from phosphene.studio.backup import back_up
    from phosphene.studio.studio import open_studio

    studio = open_studio(_existing(share_dir), database)
    try:
        kept = back_up(studio, out)
    finally:
        studio.close()
    note(f"phosphene: {kept.pictures} pictures, {kept.jobs} jobs")
    print(printable(str(out)))


@app.command("restore")
def restore_command(
    archive: Annotated[Path, typer.Argument(help="A zip that `backup` wrote.")],
    *,
    share_dir: ShareOption = SHARE,
) -> None:
    """Make a studio of such a zip, in a folder that is new or empty."""
    demand_installed()
    from phosphene.studio.backup import restore

    kept = restore(archive, share_dir)
    note(f"phosphene: {kept.pictures} pictures, {kept.jobs} jobs in {printable(str(share_dir))}")


def _demand_quiet(studio: "Studio") -> None:
    """See that nothing is being painted: the file of a picture has no row for a moment.

    Raises:
        WrongState: a job is running.
    """
    from phosphene.studio.job import State

    studio.leases.reclaim()
    if running := studio.jobs.counts()[State.RUNNING]:
        raise WrongState(f"{running} jobs are running; stop the server first, or only --check")


def _existing(share: Path) -> Path:
    """A studio that is there: a mistyped folder is not to become one.

    Raises:
        RecipeError: it is not.
    """
    if not share.is_dir():
        raise RecipeError(f"no studio in {str(share)!r}; name its folder as --share-dir")
    return share.absolute()
