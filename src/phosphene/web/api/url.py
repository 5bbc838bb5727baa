"""Pictures by URL: `GET /prompt/a red fox?seed=7&width=512`. The same URL gives the same bytes.

A URL is a recipe; where it names no seed, the recipe's own hash is the seed. What was painted once
is in the gallery and is served from there; who asks while it is being painted waits for the same
job. The ETag is a hash of the recipe, of the weights that paint it, and of size and format.
"""

import hashlib
import json
from typing import Annotated, Any, NamedTuple

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from phosphene.core.errors import NotFound, did_you_mean
from phosphene.studio.job import Job, State
from phosphene.studio.recipe import Imagine
from phosphene.studio.recipe_text import dump_recipe
from phosphene.web.failures import Refused, body
from phosphene.web.house import Client, Here, House
from phosphene.web.orders import failure_of, painted, pictures_of, watched
from phosphene.web.renditions import MEDIA, Look, film, rendered
from phosphene.web.streams import data_of, message
from phosphene.web.wishes import Granted, Wish, granted, model_of

router = APIRouter(tags=["url"])

FORMATS = (*MEDIA, "json")
FILMS = ("gif", "mp4")
EVENTS = "text/event-stream"
TYPES = {
    **{media: kind for kind, media in MEDIA.items()},
    "image/jpg": "jpeg",
    "application/json": "json",
    EVENTS: "events",
    "image/*": "png",
    "*/*": "png",
}
KNOWN = ("seed", "width", "height", "model", "method", "format", "negative_prompt")
# what pollinations' clients add, and what changes no picture here
HARMLESS = ("nologo", "private", "safe", "referrer", "nofeed", "token", "key")
MAX_TEXT = 4000
SEED_BITS = 32
MAX_TRIES = 50
RETRY_FAILED_SECONDS = 60.0

Text = Annotated[str, Path(min_length=1, max_length=MAX_TEXT, description="the prompt")]
Format = Annotated[
    str | None,
    Query(
        description="png, webp, jpeg; gif and mp4 are films; json is the recipe; "
        "if not given, Accept decides",
        max_length=10,
    ),
]


class Asked(NamedTuple):
    """What a URL stands for.

    Args:
        key: Of the job, whatever size and format it is shown in.
        tag: The ETag.
    """

    recipe: Imagine
    look: Look
    key: str
    tag: str


@router.get(
    "/prompt/{text:path}",
    response_class=Response,
    responses={
        200: {"content": {media: {} for media in [*MEDIA.values(), "application/json", EVENTS]}},
        304: {"description": "it is what you have"},
    },
)
async def picture(
    here: Here,
    client: Client,
    request: Request,
    text: Text,
    seed: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    *,
    width: Annotated[int | None, Query(ge=16, le=4096)] = None,
    height: Annotated[int | None, Query(ge=16, le=4096)] = None,
    model: Annotated[str | None, Query(max_length=80)] = None,
    method: Annotated[str | None, Query(max_length=20)] = None,
    format: Format = None,  # noqa: A002 (the name of the parameter in the URL)
    negative_prompt: Annotated[str, Query(max_length=MAX_TEXT)] = "",
    accept: Annotated[str | None, Header(max_length=1000)] = None,
    if_none_match: Annotated[str | None, Header(max_length=10_000)] = None,
) -> Response:
    """Show the picture that a URL describes; paint it, if nobody has asked for it before."""
    _check_names(request)
    kind = kind_of(format, accept)
    wish = Wish(
        prompt=text,
        negative=negative_prompt,
        model=model,
        method=method,
        seed=seed,
        width=width,
        height=height,
        film=kind if kind in FILMS else None,
        alternatives="random",
    )
    asked = await run_sync(_asked, here, wish, kind)
    headers = {"etag": asked.tag, "cache-control": "private, no-cache", "vary": "Accept"}
    if kind == "json":
        recipe = json.loads(dump_recipe(asked.recipe))
        return JSONResponse({"recipe": recipe, "key": asked.key}, headers=headers)
    if kind != "events" and is_fresh(if_none_match, asked.tag):
        return Response(status_code=304, headers=headers)
    job = await run_sync(_job, here, client, asked)
    if kind == "events":
        return _events(request, here, job, headers)
    if job.state is not State.DONE:
        await painted(request, here, job.id, cancels=False)
    data, told = await run_sync(_shown, here, job.id, asked.look)
    return Response(data, media_type=MEDIA[kind], headers={**headers, **told})


def kind_of(name: str | None, accept: str | None) -> str:
    """Which format is wanted: what the URL says, else what `Accept` likes best.

    Raises:
        Refused: none of those that there are.
    """
    if name is not None:
        name = {"jpg": "jpeg"}.get(name.lower(), name.lower())
        if name not in FORMATS:
            raise Refused(400, "wrong_format", f"format: one of {', '.join(FORMATS)}", "format")
        return name
    liked = []
    for place, part in enumerate((accept or "*/*").split(",")):
        media, _, rest = part.partition(";")
        weight = _weight(rest)
        if (kind := TYPES.get(media.strip().lower())) and weight > 0:
            wild = media.count("*")
            liked.append((-weight, wild, place, kind))
    if not liked:
        raise Refused(406, "not_acceptable", f"Accept: one of {', '.join(TYPES)}")
    return min(liked)[-1]


def is_fresh(given: str | None, tag: str) -> bool:
    """Whether a client has what has this tag."""
    tags = [part.strip().removeprefix("W/") for part in (given or "").split(",")]
    return tag in tags or "*" in tags


def _weight(parameters: str) -> float:
    for part in parameters.split(";"):
        name, _, value = part.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(1.0, float(value))
            except ValueError:
                return 0.0
    return 1.0


def _check_names(request: Request) -> None:
    """Refuse parameters that would change the picture elsewhere, and do not here."""
    for name in request.query_params:
        if name not in (*KNOWN, *HARMLESS):
            hint = did_you_mean(name, KNOWN)
            said = f"{name[:40]!r} is not known{hint}; parameters are: {', '.join(KNOWN)}"
            raise Refused(400, "unknown_parameter", said, name[:40])


def _asked(here: House, wish: Wish, kind: str) -> Asked:
    given: Granted = granted(wish, here.cards())
    recipe = given.recipe
    judges = [name.partition(":")[0] for name in recipe.perceptors]
    weights = here.weights_of([model_of(recipe), recipe.drafter or "", *judges])
    if recipe.seed is None:
        drawn = int(_hash([dump_recipe(recipe)])[:16], 16) % 2**SEED_BITS
        recipe = recipe.model_copy(update={"seed": drawn})
    key = _hash([dump_recipe(recipe), weights])
    look = Look(given.width, given.height, "png" if kind in ("json", "events") else kind)
    tag = _hash([key, look.width, look.height, kind])
    return Asked(recipe, look, key, f'"{tag}"')


def _hash(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _job(here: House, client: str, asked: Asked) -> Job:
    """The job of a URL: the one that painted it, that is painting it, or a new one.

    One that was cancelled, whose picture was deleted, or that failed a while ago is tried anew.
    """
    now = here.studio.database.clock()
    for number in range(MAX_TRIES):
        key = f"url:{asked.key}:{number}"
        job = here.studio.jobs.of_key(key)
        if job is None:
            return here.submit(client, asked.recipe, client_key=key)
        if job.state is State.FAILED and now - (job.ended or now) < RETRY_FAILED_SECONDS:
            raise failure_of(job)
        if job.state is State.DONE and not _is_there(here, job.id):
            continue
        if job.state not in (State.FAILED, State.CANCELLED):
            return job
    raise Refused(409, "given_up", f"this was tried {MAX_TRIES} times in vain; ask for another")


def _is_there(here: House, job: str) -> bool:
    found = pictures_of(here, job)
    return bool(found) and all(here.studio.store.path(name).is_file() for name in found)


def _shown(here: House, job: str, look: Look) -> tuple[bytes, dict[str, str]]:
    """The bytes, and headers that say how they came to be."""
    name = pictures_of(here, job)[0]
    entry = here.studio.gallery.get(name)
    told = {
        "x-phosphene-picture": name,
        "x-phosphene-seed": entry.seed,
        "x-phosphene-painted": f"{entry.width}x{entry.height}",
    }
    if look.kind in FILMS:
        size = (look.width or entry.width, look.height or entry.height)
        attached = here.studio.gallery.attached(name)
        if f".{look.kind}" not in attached:
            raise NotFound(f"picture {name[:12]}... has no film")
        data = here.studio.store.read(*attached[f".{look.kind}"])
        is_exact = size == (entry.width, entry.height)
        return (data if is_exact else film(data, look.kind, size)), told
    return rendered(here.studio.store.read(name), look), told


def _events(request: Request, here: House, job: Job, headers: dict[str, str]) -> Response:
    """Progress, and at the end where the picture is."""

    async def text() -> Any:
        yield "retry: 1000\n\n"
        try:
            async for event in watched(request, here, job.id, cancels=False):
                yield message(event.kind, data_of(event), event.id)
        except Refused as error:
            yield message("error", body(error.status, error.code, error.message))
        for name in await run_sync(pictures_of, here, job.id):
            url = str(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
            yield message("done", {"url": url, "picture": name, "image": f"/api/gallery/{name}"})

    quiet = {"cache-control": "no-store", "x-accel-buffering": "no", "vary": headers["vary"]}
    return StreamingResponse(text(), media_type=EVENTS, headers=quiet)
