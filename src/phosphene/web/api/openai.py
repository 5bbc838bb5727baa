"""The OpenAI images API: generations, edits, variations and models, with partial pictures as they
come. Errors of the whole server have its form.

Source: the OpenAI API reference, "Images", and what the `openai` package sends and parses.
"""

import base64
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from anyio.to_thread import run_sync
from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from phosphene.core.errors import NotFound, PhospheneError
from phosphene.studio.job import State
from phosphene.studio.job_events import JobEvent, preview_of
from phosphene.studio.recipe import Imagine
from phosphene.web.api.openai_requests import Edit, Generate, Vary, checked, form_values
from phosphene.web.failures import Refused, body, of_error
from phosphene.web.house import Client, Here, House
from phosphene.web.orders import failure_of, painted, watched
from phosphene.web.renditions import Look, rendered
from phosphene.web.streams import message
from phosphene.web.uploads import keep, mask_of
from phosphene.web.wishes import Wish, granted, model_of, painting_models

router = APIRouter(prefix="/v1", tags=["openai"])

CREATED = 1_700_000_000  # of models: cards have no date
NOT_COUNTED = {"text_tokens": 0, "image_tokens": 0}
USAGE = {  # pictures cost nothing here
    "input_tokens": 0,
    "output_tokens": 0,
    "total_tokens": 0,
    "input_tokens_details": NOT_COUNTED,
}
MAX_FILES, MAX_FIELDS = 2, 40
FORM_OF_EDITS = {
    "type": "object",
    "required": ["image", "prompt"],
    "properties": {
        "image": {"type": "string", "format": "binary"},
        "mask": {"type": "string", "format": "binary"},
        "prompt": {"type": "string", "minLength": 1},
        "n": {"type": "integer", "minimum": 1, "maximum": 10},
        "size": {"type": "string"},
    },
}
FORM_OF_VARIATIONS = {
    "type": "object",
    "required": ["image"],
    "properties": {k: FORM_OF_EDITS["properties"][k] for k in ("image", "n", "size")},  # type: ignore[index]
}


class Order(NamedTuple):
    """A request that was put into the queue.

    Args:
        family: image_generation or image_edit, as events are called.
    """

    asked: Generate
    recipe: Imagine
    job: str
    look: Look
    family: str


@router.get("/models")
def models(here: Here) -> dict[str, Any]:
    """List the models that words can be given to."""
    return {"object": "list", "data": [_model(card.name) for card in painting_models(here.cards())]}


@router.get("/models/{name}")
def model(here: Here, name: str) -> dict[str, Any]:
    """Show one model."""
    if name not in {card.name for card in painting_models(here.cards())}:
        raise NotFound(f"no model {name[:80]!r}; GET /v1/models lists all")
    return _model(name)


@router.post("/images/generations", response_class=JSONResponse)
async def generations(
    here: Here,
    client: Client,
    request: Request,
    values: dict[str, Any] = Body(json_schema_extra=Generate.model_json_schema()),  # noqa: B008
) -> Response:
    """Paint pictures of words."""
    asked: Generate = checked(Generate, values)
    order = await run_sync(_ordered, here, client, asked, asked.wish(), "image_generation")
    return await _answer(request, here, order)


@router.post(
    "/images/edits",
    response_class=JSONResponse,
    openapi_extra={"requestBody": {"content": {"multipart/form-data": {"schema": FORM_OF_EDITS}}}},
)
async def edits(here: Here, client: Client, request: Request) -> Response:
    """Paint on from a picture; with a mask, where that is transparent."""
    async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS) as form:
        values, files = await form_values(form)
    asked: Edit = checked(Edit, values)
    picture = _only(files, "image")
    mask = _only(files, "mask") if "mask" in files else None

    def order() -> Order:
        wish = asked.wish(
            init=keep(here.studio, picture, "image", "sent to be edited"), strength=asked.strength
        )
        if mask is not None:
            whole = asked.wish(init=wish.init, mask="0" * 64)
            granted(whole, here.cards())  # before it is kept: whether there are masks
            white = mask_of(mask, "mask", paints_transparent=True)
            wish = asked.wish(
                init=wish.init, strength=1.0, mask=keep(here.studio, white, "mask", "a mask")
            )
        return _ordered(here, client, asked, wish, "image_edit")

    return await _answer(request, here, await run_sync(order))


@router.post(
    "/images/variations",
    response_class=JSONResponse,
    openapi_extra={
        "requestBody": {"content": {"multipart/form-data": {"schema": FORM_OF_VARIATIONS}}}
    },
)
async def variations(here: Here, client: Client, request: Request) -> Response:
    """Paint pictures that resemble one."""
    async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS) as form:
        values, files = await form_values(form)
    asked = checked(Vary, values).asked()
    picture = _only(files, "image")

    def order() -> Order:
        wish = asked.wish(like=keep(here.studio, picture, "image", "sent to be varied"))
        return _ordered(here, client, asked, wish, "image_generation")

    return await _answer(request, here, await run_sync(order))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "phosphene"}


def _only(files: dict[str, list[bytes]], name: str) -> bytes:
    found = files.get(name, [])
    if len(found) != 1:
        code = "invalid_value" if found else "missing_required_parameter"
        raise Refused(400, code, f"{name}: {len(found)} files were sent; send one", name)
    return found[0]


def _ordered(here: House, client: str, asked: Generate, wish: Wish, family: str) -> Order:
    given = granted(wish, here.cards())
    job = here.submit(client, given.recipe)
    look = Look(given.width, given.height, asked.kind, asked.compression)
    recipe = job.parsed()
    assert isinstance(recipe, Imagine)
    return Order(asked, recipe, job.id, look, family)


async def _answer(request: Request, here: House, order: Order) -> Response:
    if order.asked.stream:
        inside = order.asked.model_copy(update={"response_format": "b64_json"})
        order = order._replace(asked=inside)  # events hold no URLs
        return StreamingResponse(
            _streamed(request, here, order),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )
    names = await painted(request, here, order.job, cancels=True)
    base = str(request.base_url).rstrip("/")
    data = [await run_sync(_picture, here, order, name, base) for name in names]
    first = data[0]["phosphene"]
    told = _told(order, first["size"])
    return JSONResponse({"created": int(time.time()), **told, "usage": USAGE, "data": data})


def _picture(here: House, order: Order, name: str, base: str) -> dict[str, Any]:
    """A picture of an answer, with where it is here and how it was painted."""
    entry, look = here.studio.gallery.get(name), order.look
    size = (look.width or entry.width, look.height or entry.height)
    painted_in = (entry.width, entry.height)
    ours = {
        "picture": name,
        "job": order.job,
        "seed": entry.seed,
        "model": model_of(order.recipe),
        "size": f"{size[0]}x{size[1]}",
        "painted": f"{painted_in[0]}x{painted_in[1]}",
        "resized": size != painted_in,
    }
    if order.asked.response_format == "url":
        query = f"width={size[0]}&height={size[1]}&format={look.kind}"
        return {"url": f"{base}/api/gallery/{name}/image?{query}", "phosphene": ours}
    data = rendered(here.studio.store.read(name), look)
    return {"b64_json": base64.b64encode(data).decode(), "phosphene": ours}


def _told(order: Order, size: str) -> dict[str, Any]:
    quality = order.asked.quality or "auto"
    return {
        "background": "opaque",
        "output_format": order.look.kind,
        "quality": {"standard": "medium", "hd": "high"}.get(quality, quality),
        "size": size,
    }


async def _streamed(request: Request, here: House, order: Order) -> AsyncIterator[str]:
    """Partial pictures at even distances, as far as there are any; then each picture."""
    wanted, shown = order.asked.partial_images or 0, 0
    try:
        async for event in watched(request, here, order.job, cancels=True):
            if event.kind == "picture":
                told = await run_sync(_picture, here, order, event.data["artifact"], "")
                yield _event(order, "completed", told, usage=USAGE)
            elif shown < wanted and _is_due(event, shown, wanted):
                partial = await run_sync(_partial, here, order, event)
                yield _event(order, "partial_image", partial, partial_image_index=shown)
                shown += 1
        job = await run_sync(here.studio.jobs.get, order.job)
        if job.state is not State.DONE:
            raise failure_of(job)
    except Refused as error:
        yield message("error", body(error.status, error.code, error.message, error.param))
    except PhospheneError as error:
        yield message("error", of_error(error))


def _is_due(event: JobEvent, shown: int, wanted: int) -> bool:
    """Whether a step is far enough for the next partial picture."""
    if event.kind != "step" or not event.has_preview:
        return False
    return bool(event.data["step"] * (wanted + 1) >= (shown + 1) * event.data["total"])


def _partial(here: House, order: Order, event: JobEvent) -> dict[str, Any]:
    """A preview in the size of the picture that is to come."""
    small = preview_of(here.studio.database, order.job, event.id)
    width = order.look.width or order.recipe.width
    height = order.look.height or order.recipe.height
    data = rendered(small, Look(width, height, order.look.kind, order.look.quality))
    return {"b64_json": base64.b64encode(data).decode(), "phosphene": {"job": order.job}}


def _event(order: Order, what: str, told: dict[str, Any], **more: Any) -> str:
    kind = f"{order.family}.{what}"
    size = told["phosphene"].get("size") or order.asked.size or "auto"
    data = {"type": kind, **told, "created_at": int(time.time()), **_told(order, size), **more}
    return message(kind, data)
