"""The server as an app: studio, workers, the APIs over them and the pages. Imports no torch."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from anyio.to_thread import current_default_thread_limiter, run_sync
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

import phosphene
from phosphene.studio.converting import Converter, write_model
from phosphene.studio.live import Live, answer
from phosphene.studio.repair import tidy_up
from phosphene.studio.studio import open_studio
from phosphene.studio.supervisor import Supervisor
from phosphene.studio.worker import work
from phosphene.web import entrance, failures, persons
from phosphene.web.access import AccessMiddleware, Template, templates_of
from phosphene.web.api import automatic1111, models, native, openai, pictures, url
from phosphene.web.guard import GuardMiddleware
from phosphene.web.house import Here, House, Settings
from phosphene.web.job_log import JobLog
from phosphene.web.limits import Ledger, LimitMiddleware
from phosphene.web.logs import Style, fields, logged
from phosphene.web.metrics import exposition
from phosphene.web.origins import OriginMiddleware
from phosphene.web.streams import Herald

# that routes run in: they wait for the database, not for models, and forty that want Python at the
# same time keep the loop from it
NUM_THREADS = 8
ROUTERS = (
    *(native.router, models.router, pictures.router, url.router, openai.router),
    *(automatic1111.router, automatic1111.internal, entrance.router, persons.router),
)

log = logging.getLogger("phosphene.web")


def create_app(settings: Settings, is_closing: Callable[[], bool] = bool) -> FastAPI:
    """Make the app; its studio is opened when it starts, and closed when it stops.

    Args:
        is_closing: Whether streams should end, because the server is about to.
    """
    # half a second, that only a server has to wait
    from phosphene.web.pages.mounted import ICON, OWN_PATHS, mount, running
    from phosphene.web.pages.places import PLACES

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = NUM_THREADS
        house = await run_sync(_open, settings, ledger, is_closing)
        app.state.house, app.state.herald = house, Herald(house.studio.database)
        try:
            async with running():
                yield
        finally:
            await run_sync(_close, house)

    app = FastAPI(
        title="phosphene",
        version=phosphene.__version__,
        summary="Recipes in, pictures out.",
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )
    ledger = Ledger(settings.limits)
    app.add_middleware(GuardMiddleware, guard=settings.guard)
    app.add_middleware(LimitMiddleware, ledger=ledger)  # outside: refusals count as well
    app.add_middleware(OriginMiddleware, guard=settings.guard)  # pages may read refusals, too
    templates: list[Template] = []
    app.add_middleware(
        AccessMiddleware, templates=templates, places=(*PLACES, ICON), below=OWN_PATHS
    )
    failures.install(app)
    for router in ROUTERS:
        app.include_router(router)

    @app.get("/healthz", tags=["operations"])
    def healthz(here: Here) -> dict[str, Any]:
        """Say whether the server, its database and its workers are well."""
        here.studio.database.ping()
        workers = here.supervisor.workers() if here.supervisor else []
        return {"status": "ok", "workers": sum(pid is not None for _, pid in workers)}

    @app.get("/metrics", response_class=PlainTextResponse, tags=["operations"])
    def metrics(here: Here) -> PlainTextResponse:
        """Show figures for Prometheus."""
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return PlainTextResponse(exposition(here), media_type=kind)

    templates += templates_of(route for router in (*ROUTERS, app) for route in router.routes)
    mount(app)
    return app


def _open(settings: Settings, ledger: Ledger, is_closing: Callable[[], bool]) -> House:
    studio = open_studio(settings.share, settings.database)
    tidy_up(studio)
    is_json = settings.style is Style.JSON
    paints, works = (partial(logged, answer), partial(logged, work)) if is_json else (answer, work)
    live = Live(settings.home, settings.devices[0] if settings.devices else "cpu", paints)
    house = House(studio, settings, ledger, live, is_closing=is_closing)
    if is_json:
        house.converter = Converter(partial(logged, write_model))
    house.job_log = JobLog(studio)
    house.job_log.start()
    if settings.devices:
        house.supervisor = Supervisor(
            studio, settings.database, settings.devices, settings.home, works, data=settings.data
        )
        house.supervisor.start()
    log.info("studio open", extra=fields(workers=len(settings.devices)))
    return house


def _close(house: House) -> None:
    if house.supervisor is not None:
        house.supervisor.stop()
    house.live.stop()
    house.converter.stop()
    if house.job_log is not None:
        house.job_log.stop()
    house.studio.close()
    log.info("studio closed")
