"""AUTOMATIC1111's API: txt2img, img2img, progress, interrupt, options, and the lists that clients
ask for. Errors have the form that all of ours have.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

import phosphene
from phosphene.core.errors import PhospheneError, RecipeError
from phosphene.studio.entry import Entry
from phosphene.studio.job import ENDED, Job, State
from phosphene.studio.job_events import latest_preview
from phosphene.studio.recipe import Imagine
from phosphene.web.api.automatic1111_requests import (
    CHECKPOINT,
    OPTIONS,
    Image2Image,
    Text2Image,
    checked_options,
    default_model,
)
from phosphene.web.failures import Refused, snake
from phosphene.web.house import Client, Here, House
from phosphene.web.orders import failure_of, pictures_of, watched
from phosphene.web.renditions import Look, rendered
from phosphene.web.uploads import from_base64, keep, mask_of, texts_of
from phosphene.web.wishes import SAMPLERS, Granted, Wish, granted, model_of, painting_models

router = APIRouter(prefix="/sdapi/v1", tags=["automatic1111"])

PARAMETERS = "parameters"  # the text of a PNG that holds all of it
SHORT_HASH = 10
IDLE = {
    "skipped": False,
    "interrupted": False,
    "stopping_generation": False,
    "job": "",
    "job_count": 0,
    "job_timestamp": "0",
    "job_no": 0,
    "sampling_step": 0,
    "sampling_steps": 0,
}
EMPTY: dict[str, Any] = {  # what clients ask for, and is not here
    "upscalers": [],
    "latent-upscale-modes": [],
    "loras": [],
    "hypernetworks": [],
    "face-restorers": [],
    "realesrgan-models": [],
    "prompt-styles": [],
    "sd-vae": [],
    "sd-modules": [],
    "extensions": [],
    "script-info": [],
    "scripts": {"txt2img": [], "img2img": []},
    "embeddings": {"loaded": {}, "skipped": {}},
    "cmd-flags": {},
    "memory": {"ram": {}, "cuda": {}},
}


class Encoded(BaseModel):
    """A picture in JSON."""

    image: str = Field(min_length=1, description="base64")
    model: str = Field("clip", max_length=80)


class Order(NamedTuple):
    """A request that was put into the queue."""

    asked: Text2Image
    given: Granted
    wish: Wish
    job: str


@router.post("/txt2img")
async def txt2img(
    here: Here, client: Client, request: Request, asked: Text2Image
) -> dict[str, Any]:
    """Paint pictures of words."""
    with _unprocessable():
        wish = asked.wish(here.options, _models(here))
        order = await run_sync(_ordered, here, client, asked, wish)
    return await _answer(request, here, order)


@router.post("/img2img")
async def img2img(
    here: Here, client: Client, request: Request, asked: Image2Image
) -> dict[str, Any]:
    """Paint on from a picture; with a mask, where that is white."""
    if not asked.init_images:
        raise Refused(404, "not_found", "init_images: there is none", "init_images")
    if len(asked.init_images) > 1:
        raise Refused(422, "unsupported", "init_images: one is painted on from", "init_images")

    def order() -> Order:
        asked.wish(here.options, _models(here))  # before anything is kept
        data = from_base64(asked.init_images[0], "init_images")
        first = keep(here.studio, data, "init_images", "sent to img2img")
        more = {"init": first, "strength": asked.denoising_strength}
        if asked.mask is not None:
            tried = asked.wish(here.options, _models(here), **more, mask="0" * 64)
            granted(tried, here.cards())  # whether there are masks
            white = mask_of(
                from_base64(asked.mask, "mask"),
                "mask",
                paints_transparent=False,
                inverted=bool(asked.inpainting_mask_invert),
            )
            more["mask"] = keep(here.studio, white, "mask", "a mask")
        return _ordered(here, client, asked, asked.wish(here.options, _models(here), **more))

    with _unprocessable():
        ordered = await run_sync(order)
    return await _answer(request, here, ordered)


@router.get("/progress")
def progress(here: Here, skip_current_image: bool = Query(False)) -> dict[str, Any]:
    """Say how far the request that is being carried out is."""
    waiting = _under_way(here)
    running = [job for job in waiting if job.state is State.RUNNING]
    if not waiting:
        return {
            "progress": 0.0,
            "eta_relative": 0.0,
            "state": IDLE,
            "current_image": None,
            "textinfo": None,
        }
    job = (running or waiting)[0]
    # clients take 0 for idle
    done = max(0.001, min(0.999, job.progress))
    spent = max(0.0, here.studio.database.clock() - (job.started or job.created))
    state = {
        **IDLE,
        "job": job.id,
        "job_count": len(waiting),
        "job_timestamp": time.strftime("%Y%m%d%H%M%S", time.localtime(job.created)),
        "sampling_step": job.step,
        "sampling_steps": job.total,
        "interrupted": job.wish is State.CANCELLED,
    }
    preview = None if skip_current_image else latest_preview(here.studio.database, job.id)
    image = base64.b64encode(rendered(preview, Look())).decode() if preview else None
    return {
        "progress": done,
        "eta_relative": spent * (1 - done) / done if running else 0.0,
        "state": state,
        "current_image": image,
        "textinfo": None if running else "waiting in the queue",
    }


@router.post("/interrupt")
def interrupt(here: Here) -> dict[str, Any]:
    """Stop the request that is being carried out."""
    waiting = _under_way(here)
    running = [job for job in waiting if job.state is State.RUNNING]
    for job in (running or waiting)[:1]:
        try:
            here.studio.jobs.cancel(job.id)
        except RecipeError:
            continue  # it has just ended
    return {}


@router.post("/skip")
def skip(here: Here) -> dict[str, Any]:
    """Stop the request that is being carried out."""
    return interrupt(here)


@router.get("/options")
def options(here: Here) -> dict[str, Any]:
    """Show what is set for all requests."""
    chosen = str(here.options.get(CHECKPOINT) or default_model())
    return {
        **OPTIONS,
        **here.options,
        CHECKPOINT: _title(chosen, _hash(here, chosen)),
        "sd_checkpoint_hash": _hash(here, chosen),
    }


@router.post("/options")
def set_options(here: Here, values: dict[str, Any]) -> None:
    """Set something for all requests to come, until the server stops."""
    here.options.update(checked_options(values, _models(here)))


@router.get("/sd-models")
def sd_models(here: Here) -> list[dict[str, Any]]:
    """List the models that words can be given to."""
    return [
        {
            "title": _title(card.name, card.sha256),
            "model_name": card.name,
            "hash": (card.sha256 or "")[:SHORT_HASH],
            "sha256": card.sha256,
            "filename": card.name,
            "config": None,
        }
        for card in painting_models(here.cards())
    ]


@router.get("/samplers")
def samplers() -> list[dict[str, Any]]:
    """List how denoising can take its steps."""
    return [{"name": name, "aliases": [name.title()], "options": {}} for name in SAMPLERS]


@router.get("/schedulers")
def schedulers() -> list[dict[str, Any]]:
    """List the schedules of denoising: each model has its own."""
    return [{"name": "automatic", "label": "Automatic", "aliases": None}]


@router.post("/png-info")
def png_info(here: Here, sent: Encoded) -> dict[str, Any]:
    """Read what a picture says of itself."""
    texts = texts_of(from_base64(sent.image, "image"), "image")
    return {"info": texts.get(PARAMETERS, ""), "items": texts, "parameters": {}}


@router.post("/interrogate")
def interrogate(sent: Encoded) -> dict[str, Any]:
    """Describe a picture in words: nothing here can."""
    said = f"there is no captioner {sent.model!r} here: pictures cannot be put into words yet"
    raise Refused(404, "no_captioner", said, "model")


@router.post("/refresh-checkpoints")
def refresh_checkpoints() -> None:
    """Look for models again: that is done every few seconds anyway."""


def _listing(name: str, found: Any) -> Callable[[], Any]:
    def listing() -> Any:
        return found

    listing.__doc__ = f"List {name.replace('-', ' ')}: there are none here."
    return listing


for _name, _found in EMPTY.items():
    _function = _listing(_name, _found)
    router.add_api_route(f"/{_name}", _function, name=_name, methods=["GET"])

internal = APIRouter(tags=["automatic1111"])


@internal.get("/internal/ping")
def ping() -> dict[str, Any]:
    """Answer."""
    return {}


@contextmanager
def _unprocessable() -> Iterator[None]:
    """What cannot be done is 422 here."""
    try:
        yield
    except RecipeError as error:
        raise Refused(422, snake(type(error).__name__), str(error)) from None


def _models(here: House) -> list[str]:
    return [card.name for card in painting_models(here.cards())]


def _hash(here: House, model: str) -> str:
    card = here.cards().get(model)
    return (card.sha256 if card else None) or ""


def _title(name: str, sha256: str | None) -> str:
    return f"{name} [{(sha256 or '')[:SHORT_HASH]}]"


def _ordered(here: House, client: str, asked: Text2Image, wish: Wish) -> Order:
    given = granted(wish, here.cards())
    job = here.submit(client, given.recipe)
    here.under_way[job.id] = None
    recipe = job.parsed()
    assert isinstance(recipe, Imagine)
    return Order(asked, given._replace(recipe=recipe), wish, job.id)


def _under_way(here: House) -> list[Job]:
    """The requests that wait for pictures, the oldest first."""
    found = []
    for name in list(here.under_way):
        try:
            job = here.studio.jobs.get(name)
        except PhospheneError:
            continue
        if job.state not in ENDED:
            found.append(job)
    return found


async def _answer(request: Request, here: House, order: Order) -> dict[str, Any]:
    try:
        async for _ in watched(request, here, order.job, cancels=True):
            pass
    finally:
        here.under_way.pop(order.job, None)
    job = await run_sync(here.studio.jobs.get, order.job)
    if job.state not in (State.DONE, State.CANCELLED):  # what was interrupted has no pictures
        raise failure_of(job)
    return await run_sync(_pictures, here, order)


def _pictures(here: House, order: Order) -> dict[str, Any]:
    entries = [here.studio.gallery.get(name) for name in pictures_of(here, order.job)]
    texts = [_infotext(order, entry) for entry in entries]
    images = []
    for entry, text in zip(entries, texts, strict=True):
        look = Look(order.given.width, order.given.height)
        data = rendered(here.studio.store.read(entry.id), look, {PARAMETERS: text})
        images.append(base64.b64encode(data).decode())
    asked = order.asked.model_dump(exclude={"init_images", "mask"})
    return {
        "images": images if order.asked.send_images else [],
        "parameters": asked,
        "info": json.dumps(_info(order, entries, texts, here)),
    }


def _info(order: Order, entries: list[Entry], texts: list[str], here: House) -> dict[str, Any]:
    asked, recipe = order.asked, order.given.recipe
    seeds = list(recipe.all_seeds())[: len(entries)] or [recipe.seed or 0]
    model = model_of(recipe)
    negative = asked.negative_prompt or ""
    first = entries[0] if entries else None
    return {
        "prompt": asked.prompt,
        "all_prompts": [asked.prompt] * len(seeds),
        "negative_prompt": negative,
        "all_negative_prompts": [negative] * len(seeds),
        "seed": seeds[0],
        "all_seeds": seeds,
        "subseed": seeds[0],
        "all_subseeds": seeds,
        "subseed_strength": 0,
        "width": order.given.width,
        "height": order.given.height,
        "sampler_name": getattr(recipe, "sampler", None) or "",
        "cfg_scale": getattr(recipe, "guidance_scale", None),
        "steps": _steps(first) if first else 0,
        "batch_size": asked.batch_size,
        "sd_model_name": model,
        "sd_model_hash": _hash(here, model)[:SHORT_HASH],
        "index_of_first_image": 0,
        "infotexts": texts,
        "version": f"phosphene {phosphene.__version__}",
        "phosphene": {
            "job": order.job,
            "pictures": [entry.id for entry in entries],
            "painted": [f"{entry.width}x{entry.height}" for entry in entries],
            "ignored": list(order.given.unheard),
        },
    }


def _infotext(order: Order, entry: Entry) -> str:
    """What a picture says of itself, in AUTOMATIC1111's words."""
    asked, recipe = order.asked, order.given.recipe
    lines = [asked.prompt]
    if asked.negative_prompt:
        lines.append(f"Negative prompt: {asked.negative_prompt}")
    settings = {
        "Steps": _steps(entry),
        "Sampler": getattr(recipe, "sampler", None),
        "CFG scale": getattr(recipe, "guidance_scale", None),
        "Seed": entry.seed,
        "Size": f"{order.given.width or entry.width}x{order.given.height or entry.height}",
        "Model": model_of(recipe),
        "Version": f"phosphene {phosphene.__version__}",
    }
    lines.append(", ".join(f"{k}: {v}" for k, v in settings.items() if v is not None))
    return "\n".join(lines)


def _steps(entry: Entry) -> int:
    return int((entry.manifest or {}).get("iterations", 0))
