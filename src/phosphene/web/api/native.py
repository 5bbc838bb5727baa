"""The native API of recipes and jobs: a recipe is posted, becomes a job, and is watched."""

from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from phosphene.core.errors import RecipeError
from phosphene.studio.forecast import forecast
from phosphene.studio.job import ENDED, State
from phosphene.studio.job_events import preview_of
from phosphene.studio.recipe import KINDS, Recipe
from phosphene.studio.recipe_text import parse_recipe
from phosphene.web.admission import RULES
from phosphene.web.api.views import ForecastView, JobView
from phosphene.web.house import Client, Here, House
from phosphene.web.streams import Herald, stream

router = APIRouter(prefix="/api", tags=["jobs"])

Fields = Annotated[
    dict[str, Any],
    Body(
        description="a recipe: its `kind` and fields, as GET /api/recipes/kinds describes them",
        examples=[{"kind": "sample", "model": "digits-cgan", "count": 4, "seed": 7}],
    ),
]
Priority = Annotated[int, Query(ge=-100, le=100, description="higher runs earlier")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        description="chosen by the client: asked again with it, the same job is answered",
    ),
]
Last = Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)]
After = Annotated[int, Query(ge=0, le=2**53, description="events after this one")]


class Move(BaseModel):
    """Another place in the queue."""

    model_config = ConfigDict(extra="forbid")

    before: str | None = Field(None, max_length=64, description="the job that it comes before")
    priority: int | None = Field(None, ge=-100, le=100)


@router.get("/recipes/kinds")
def kinds() -> dict[str, Any]:
    """Describe the kinds of recipes that can be posted, as JSON schemas."""
    return {str(n): k.model_json_schema() for n, k in KINDS.items() if k in RULES}


@router.post("/recipes", status_code=202)
def post_recipe(
    here: Here, client: Client, fields: Fields, priority: Priority = 0, client_key: Key = None
) -> JobView:
    """Put a recipe into the queue; the answer is the job."""
    recipe = parse_recipe(fields)
    job = here.submit(client, recipe, priority, client_key)
    made = here.studio.gallery.made_by(job.id)
    return JobView.of(job, made, here.forecast(recipe))


@router.post("/recipes/forecast")
def post_forecast(here: Here, fields: Fields) -> ForecastView | None:
    """Guess how long a recipe would run; null if nothing like it was ever measured."""
    return ForecastView.of(forecast(here.studio.database, _admitted(here, fields)))


@router.get("/jobs")
def get_jobs(
    here: Here,
    state: Annotated[list[State] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> list[JobView]:
    """List jobs, the newest first."""
    found = here.studio.jobs.listed(state or (), limit, offset)
    made = here.studio.gallery.made_by_each([job.id for job in found])
    return [JobView.of(job, made[job.id]) for job in found]


@router.get("/queue")
def get_queue(here: Here) -> list[JobView]:
    """List the queued jobs in the order in which they will run."""
    waiting = here.studio.jobs.waiting()
    return [JobView.of(job) for job in waiting]


@router.get("/jobs/{job}")
def get_job(here: Here, job: str) -> JobView:
    """Show a job."""
    return _view(here, job)


@router.post("/jobs/{job}/pause")
def pause(here: Here, job: str) -> JobView:
    """Stop a job for now."""
    here.studio.jobs.pause(job)
    return _view(here, job)


@router.post("/jobs/{job}/resume")
def resume(here: Here, job: str) -> JobView:
    """Let a paused job go on."""
    here.studio.jobs.resume(job)
    return _view(here, job)


@router.post("/jobs/{job}/cancel")
def cancel(here: Here, job: str) -> JobView:
    """End a job."""
    here.studio.jobs.cancel(job)
    return _view(here, job)


@router.post("/jobs/{job}/move")
def move(here: Here, job: str, to: Move) -> JobView:
    """Give a queued job another place: before another one, or at the end of a priority."""
    here.studio.jobs.move(job, to.before, to.priority)
    return _view(here, job)


@router.get("/jobs/{job}/events", response_class=StreamingResponse)
def job_events(
    here: Here, request: Request, job: str, after: After = 0, last: Last = None
) -> StreamingResponse:
    """Stream what happens to a job, from its beginning or from an event on, until it has ended."""
    here.studio.jobs.get(job)
    return _streamed(here, request, _place(after, last), job)


@router.get("/events", response_class=StreamingResponse)
def all_events(
    here: Here, request: Request, after: After = 0, last: Last = None
) -> StreamingResponse:
    """Stream what happens to all jobs."""
    return _streamed(here, request, _place(after, last), None)


@router.get("/jobs/{job}/previews/{event}", response_class=Response)
def preview(here: Here, job: str, event: Annotated[int, Path(ge=0, le=2**53)]) -> Response:
    """Show the small picture of an event."""
    data = preview_of(here.studio.database, job, event)
    return Response(data, media_type="image/webp", headers={"cache-control": "private, immutable"})


def _admitted(here: House, fields: dict[str, Any]) -> Recipe:
    recipe = parse_recipe(fields)
    here.admit(recipe)
    return recipe


def _view(here: House, job: str) -> JobView:
    found = here.studio.jobs.get(job)
    guess = None
    if found.state not in ENDED:
        with suppress(RecipeError):  # of another version
            guess = here.forecast(found.parsed())
    return JobView.of(found, here.studio.gallery.made_by(job), guess)


def _place(after: int, last: str | None) -> int:
    """Where a reader is; the header is what a browser sends when it comes back."""
    return int(last) if last is not None and last.isdecimal() else after


def _streamed(here: House, request: Request, after: int, job: str | None) -> StreamingResponse:
    herald: Herald = request.app.state.herald
    return StreamingResponse(
        stream(herald, min(after, 2**53), job, here.is_closing),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )
