"""`phosphene serve`: the studio over HTTP."""

import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli.surface import Context, note
from phosphene.core.errors import MissingTool, RecipeError
from phosphene.web.logs import Style, fields, set_up

if TYPE_CHECKING:
    from phosphene.web.guard import Guard

HOST, PORT = "127.0.0.1", 8420
ANY = ("0.0.0.0", "::")
NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "python_multipart", "nicegui")
SHUTDOWN_SECONDS = 5
BACKLOG = 2048

log = logging.getLogger("phosphene.serve")

SHARE = Path("phosphene-studio")
ShareOption = Annotated[Path, typer.Option(help="Folder of the gallery and of runs.")]
DatabaseOption = Annotated[
    str | None, typer.Option(help="Database URL; SQLite in the folder if not given.")
]


def serve(
    context: Context,
    host: Annotated[str, typer.Option(help="Address to bind to.")] = HOST,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = PORT,
    *,
    device: Annotated[
        str | None, typer.Option(help="Devices, one worker each, as cpu or cuda:0,cuda:1.")
    ] = None,
    share_dir: ShareOption = SHARE,
    database: DatabaseOption = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="PHOSPHENE_TOKEN", help="What clients must show; or PHOSPHENE_TOKEN."),
    ] = None,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Serve other machines without a token.")
    ] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name that the server is reached by.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="A site whose pages may use the APIs, as https://studio.example."),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Let clients train on the folders in this one; else nobody may."),
    ] = None,
    checkpoint_dir: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="<path>",
            help="Let clients convert the checkpoints in this folder; else nobody may.",
        ),
    ] = None,
    limits: Annotated[
        str, typer.Option(help="Of one client, as jobs=120,waiting=200,requests=6000; 0 is none.")
    ] = "",
    log_format: Annotated[
        Style, typer.Option(help="Of what is told on stderr; json is an object a line.")
    ] = Style.TEXT,
) -> None:
    """Serve the studio: queue, gallery and API."""
    demand_installed()
    guard = guard_of(
        host,
        token,
        no_token=no_token,
        allow_host=allow_host or (),
        allow_origin=allow_origin or (),
    )
    if data_dir is not None and not data_dir.is_dir():
        raise RecipeError(
            f"--data-dir {str(data_dir)!r} is no folder; it holds folders of pictures"
        )
    checkpoints = roots_of(checkpoint_dir or ())
    devices = tuple(d.strip() for d in (device or context.obj.device).split(",") if d.strip())
    if not devices:
        raise RecipeError("--device should name one, for example cpu")

    from phosphene.web.house import Settings
    from phosphene.web.limits import read_limits
    from phosphene.zoo.registry import home

    may = read_limits(limits)
    data = None if data_dir is None else data_dir.absolute()
    share = share_dir.absolute()
    settings = Settings(
        share,
        home(),
        database,
        devices,
        guard,
        may,
        data=data,
        style=log_format,
        checkpoints=checkpoints,
    )
    _run(settings, host, port)


def demand_installed() -> None:
    """See that the extra `studio` is here.

    Raises:
        MissingTool: something of it is not.
    """
    import importlib.util

    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingTool(f"{', '.join(missing)} not installed; pip install 'phosphene[studio]'")


def roots_of(folders: Sequence[Path]) -> tuple[Path, ...]:
    """The folders of checkpoints to open.

    Raises:
        RecipeError: one is no folder, or two have the same name.
    """
    from phosphene.studio.checkpoint_folders import checkpoint_roots

    try:
        return checkpoint_roots(folders)
    except RecipeError as error:
        raise RecipeError(f"--checkpoint-dir: {error}") from None


def guard_of(
    host: str,
    token: str | None,
    *,
    no_token: bool = False,
    allow_host: Sequence[str] = (),
    allow_origin: Sequence[str] = (),
) -> "Guard":
    """The rules for an address.

    Raises:
        RecipeError: other machines could reach it, and there is no token; or an empty one; or
            an origin that is none.
    """
    from phosphene.web.guard import Guard, is_local
    from phosphene.web.origins import read_origin

    if token is not None and (len(token) < 8 or not token.isascii() or not token.isprintable()):
        raise RecipeError("--token should have at least 8 characters, printable ASCII")
    if not is_local(host) and token is None and not no_token:
        raise RecipeError(
            f"--host {host!r} lets other machines in: give a --token (or PHOSPHENE_TOKEN), "
            "or say --no-token"
        )
    names = frozenset(name.lower() for name in (*allow_host, host) if name not in ANY)
    origins = frozenset(map(read_origin, allow_origin))
    return Guard(token, names, any_address=host in ANY, origins=origins)


def _run(settings: object, host: str, port: int) -> None:
    import socket

    import uvicorn

    from phosphene.studio.studio import open_studio
    from phosphene.web.app import create_app
    from phosphene.web.house import Settings

    assert isinstance(settings, Settings)
    open_studio(settings.share, settings.database).close()  # what is wrong with it shows at once
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(BACKLOG)  # who comes before the app is ready waits
    except OSError as error:
        bound.close()
        raise RecipeError(f"cannot serve on {host}:{port}: {error.strerror}; --port") from None
    server: uvicorn.Server
    app = create_app(settings, lambda: server.should_exit)
    set_up(settings.style)
    config = uvicorn.Config(
        app,
        log_config=None,  # what it says goes where all goes
        access_log=False,  # URLs can hold prompts; `AccessMiddleware` leaves them out
        server_header=False,
        proxy_headers=False,  # an address that a client says is its own would have its own limits
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = uvicorn.Server(config)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{bound.getsockname()[1]}"
    if settings.style is Style.JSON:
        log.info("serving", extra=fields(url=url, folder=str(settings.share)))
    else:
        note(f"phosphene: serving {url}, folder {settings.share}")
    # uvicorn sends the signal that stopped it once more; ended by it, Python would not clean up
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.run(sockets=[bound])
