"""What the server holds while it runs, and how routes reach it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from phosphene.core.errors import PhospheneError
from phosphene.studio.converting import Converter
from phosphene.studio.data_folders import folder_names, with_data
from phosphene.studio.forecast import Forecast, forecast
from phosphene.studio.job import Job, Workload, workload_of
from phosphene.studio.live import Live
from phosphene.studio.recipe import Recipe
from phosphene.studio.studio import Studio
from phosphene.studio.supervisor import Supervisor
from phosphene.web.admission import admit_recipe
from phosphene.web.guard import Guard
from phosphene.web.job_log import JobLog
from phosphene.web.limits import Ledger, Limits, client_of
from phosphene.web.logs import Style
from phosphene.zoo.card import Card
from phosphene.zoo.fetch import identity, with_needs
from phosphene.zoo.registry import cards

CARDS_SECONDS = 5.0  # for which what lies in the models' folder is believed
FORECAST_SECONDS, MAX_FORECASTS = 3.0, 200
PATIENCE_SECONDS = 600.0  # as long as clients of other programs wait


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server is set up.

    Args:
        share: The studio's folder.
        database: URL; None is the SQLite file in the folder.
        devices: One worker process each; none for a server that only shows.
        home: Where models live.
        patience: Seconds for which an answer that is a picture is waited for.
        data: Whose folders may be learnt from; None lets nobody train over HTTP.
        style: Of the logs of all its processes.
        checkpoints: Folders whose files may be converted; none lets nobody convert over HTTP.
    """

    share: Path
    home: Path
    database: str | None = None
    devices: tuple[str, ...] = ("cpu",)
    guard: Guard = field(default_factory=Guard)
    limits: Limits = field(default_factory=Limits)
    patience: float = PATIENCE_SECONDS
    data: Path | None = None
    style: Style = Style.TEXT
    checkpoints: tuple[Path, ...] = ()


@dataclass(slots=True)
class House:
    """The studio that is served.

    Args:
        ledger: What each client has asked for.
        live: Paints at once what cannot wait for its turn.
        supervisor: None where no worker runs.
        converter: Converts checkpoints, one at a time.
        job_log: Logs what becomes of jobs.
        is_closing: Whether streams should end, because the server is about to.
        options: What clients of AUTOMATIC1111's API have set, for all of them, as it is there.
        under_way: Jobs that they wait for, the oldest first.
    """

    studio: Studio
    settings: Settings
    ledger: Ledger
    live: Live
    supervisor: Supervisor | None = None
    converter: Converter = field(default_factory=Converter)
    job_log: JobLog | None = None
    is_closing: Callable[[], bool] = bool
    options: dict[str, object] = field(default_factory=dict)
    under_way: dict[str, None] = field(default_factory=dict)
    _cards: tuple[float, dict[str, Card]] = (0.0, {})
    _forecasts: dict[Workload, tuple[float, Forecast]] = field(default_factory=dict)

    def cards(self) -> dict[str, Card]:
        """Models that recipes may name, by name."""
        looked, found = self._cards
        if not found or time.monotonic() - looked > CARDS_SECONDS:
            found = {card.name: card for card in cards(self.settings.home)}
            self._cards = (time.monotonic(), found)
        return found

    def look_again(self) -> None:
        """Forget which models there were: one was added."""
        self._cards = (0.0, {})

    def model_names(self) -> list[str]:
        """Their names."""
        return list(self.cards())

    def weights_of(self, names: list[str]) -> dict[str, str]:
        """What tells the weights of models, and of all that they are made of, from others."""
        home, found = self.settings.home, {}
        for name in names:
            if name not in self.cards():
                continue  # a judge by a path cannot come over HTTP
            for card in with_needs(self.cards()[name], home):
                try:
                    found[card.name] = identity(card, home)
                except PhospheneError:  # not here: the job will say so
                    found[card.name] = ""
        return found

    def forecast(self, recipe: Recipe) -> Forecast | None:
        """Guess how long a recipe takes, as of a moment ago: who polls a job asks for it often."""
        work, now = workload_of(recipe), time.monotonic()
        looked, known = self._forecasts.get(work, (-math.inf, None))
        guess = known
        if known is None or now - looked > FORECAST_SECONDS:
            guess = forecast(self.studio.database, recipe)
            if len(self._forecasts) >= MAX_FORECASTS:
                self._forecasts.clear()
            if guess is not None:
                self._forecasts[work] = (now, guess)
        return guess

    def data_folders(self) -> list[str] | None:
        """Names of the folders that may be learnt from; None if nobody may train over HTTP."""
        return None if self.settings.data is None else folder_names(self.settings.data)

    def admit(self, recipe: Recipe) -> None:
        """Let a recipe from the network pass, or not.

        Raises:
            RecipeError: it names a file, or a model or a folder that is not offered.
        """
        admit_recipe(recipe, self.cards(), self.data_folders())
        with_data(recipe, self.settings.data)

    def submit(
        self, client: str, recipe: Recipe, priority: int = 0, client_key: str | None = None
    ) -> Job:
        """Put a recipe into the queue for a client; see `Jobs.submit`.

        Raises:
            RecipeError: as for `admit`.
            Refused: the client has asked for too much.
            TooMany: the queue is full.
        """
        self.admit(recipe)
        jobs = self.studio.jobs
        is_new = client_key is None or jobs.of_key(client_key) is None
        if is_new:
            self.ledger.check_waiting(client, jobs.still_waiting)
            self.ledger.spend(client, "jobs")
        job = jobs.submit(recipe, priority, client_key)
        if is_new:
            self.ledger.note_job(client, job.id)
        return job


def _house(request: Request) -> House:
    house: House = request.app.state.house
    return house


def _client(request: Request) -> str:
    return client_of(request.client.host if request.client else None)


Here = Annotated[House, Depends(_house)]
Client = Annotated[str, Depends(_client)]
