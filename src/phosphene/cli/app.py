"""The `phosphene` command: its groups, and what becomes of errors.

Exit codes: 0 done, 1 failed, 2 the request cannot be carried out as written, 130 interrupted.
"""

import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

import phosphene
from phosphene.cli.animate import animate
from phosphene.cli.animate import fields as animate_fields
from phosphene.cli.breed import breed
from phosphene.cli.data import app as data_app
from phosphene.cli.edit import edit
from phosphene.cli.fields import command_of
from phosphene.cli.gallery import app as gallery_app
from phosphene.cli.imagine import fields as imagine_fields
from phosphene.cli.imagine import imagine
from phosphene.cli.incantation import incantation
from phosphene.cli.invert import invert
from phosphene.cli.mix import mix
from phosphene.cli.models import app as models_app
from phosphene.cli.replay import replay
from phosphene.cli.run import run
from phosphene.cli.sample import sample
from phosphene.cli.serve import serve
from phosphene.cli.sheet import sheet
from phosphene.cli.surface import Context, Surface, note, printable
from phosphene.cli.train import train
from phosphene.cli.variations import variations
from phosphene.cli.walk import walk
from phosphene.core.errors import PhospheneError

INTERRUPTED = 130
DEBUG = "--debug"

# plain help pages: rich ones take 0.1 s longer, and `--help` has to answer at once
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("imagine", cls=command_of(imagine_fields))(imagine)
app.command("variations", cls=command_of(imagine_fields))(variations)
app.command("animate", cls=command_of(animate_fields))(animate)
app.command("sample")(sample)
app.command("walk")(walk)
app.command("mix")(mix)
app.command("sheet")(sheet)
app.command("incantation")(incantation)
app.command("breed")(breed)
app.command("edit")(edit)
app.command("invert")(invert)
app.command("run")(run)
app.command("replay")(replay)
app.add_typer(models_app, name="models")
app.command("train")(train)
app.command("serve")(serve)
app.add_typer(gallery_app, name="gallery")
app.add_typer(data_app, name="data")


def _show_version(wanted: bool) -> bool:
    if wanted:
        print(f"phosphene {phosphene.__version__}")
        raise typer.Exit()
    return wanted


@app.callback()
def options(
    context: Context,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, cuda:1, mps, or auto for the best.")
    ] = "cpu",
    debug: Annotated[
        bool, typer.Option(DEBUG, help="Show where an error came from; may stand anywhere.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Say which.")
    ] = False,
) -> None:
    """The open studio for neural image synthesis."""
    context.obj = Surface(device)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every error is one line on stderr."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = DEBUG in ours
    if debug:
        arguments.remove(DEBUG)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_code_of(arguments, debug))


def _code_of(arguments: list[str], debug: bool) -> int:
    """Carry out a command; returns the exit code."""
    try:
        code = app(arguments, prog_name="phosphene", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except PhospheneError as error:
        _complain(str(error), debug)
        return error.exit_code
    except Exception as error:
        return _unexpected(error, debug)


def _unexpected(error: Exception, debug: bool) -> int:
    """Tell misuse of the command line, which typer reports, from faults of ours."""
    format_message = getattr(error, "format_message", None)
    if format_message is not None:
        context = getattr(error, "ctx", None)
        where = context.command_path if context is not None else "phosphene"
        _complain(f"{format_message().rstrip('.')}; see `{where} --help`", debug)
        return int(getattr(error, "exit_code", 2))
    reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    _complain(f"{reason}; run again with {DEBUG} to see where this came from", debug)
    return 1


def _complain(message: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    note(f"phosphene: {printable(message)}")
