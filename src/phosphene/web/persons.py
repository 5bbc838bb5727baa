"""`/person.png`: what a generator dreams of, at once; the same seed is the same picture."""

from typing import Annotated

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from phosphene.core.errors import NotFound
from phosphene.studio.recipe import Sample
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.recipes.fields import drawn_seed
from phosphene.studio.store import sha256
from phosphene.web.failures import Refused
from phosphene.web.guard import PNG
from phosphene.web.house import Here, House

router = APIRouter(tags=["generators"])

FACES = "faces-dcgan"
Seed = Annotated[int | None, Query(ge=0, le=2**63 - 1, description="drawn, if not given")]
Model = Annotated[str, Query(max_length=80, description="a generator of the registry")]


@router.get("/person.png", response_class=Response)
async def person(here: Here, request: Request, seed: Seed = None, model: Model = FACES) -> Response:
    """Paint a face, or what another generator dreams of: a new one each time, or a seed's."""
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        # each picture is work: a page of another site must not be able to ask for thousands
        raise Refused(403, "wrong_origin", "requests of other sites' pages are refused")
    chosen = drawn_seed() if seed is None else seed
    recipe = sample_of(here, model, chosen)
    # of threads of its own: those of other routes must not wait for models
    png = await run_sync(here.live.ask, recipe, limiter=CapacityLimiter(1))
    headers = {
        "content-location": f"/person.png?seed={chosen}&model={model}",
        "cache-control": "no-store" if seed is None else "private, max-age=3600",
        "etag": f'"{sha256(png)}"',
    }
    return Response(png, media_type=PNG, headers=headers)


def sample_of(here: House, model: str, seed: int) -> Sample:
    """The recipe of one picture.

    Raises:
        NotFound: no such model in the registry.
    """
    if model not in here.model_names():
        raise NotFound(f"model: no {model[:80]!r} in the registry; GET /api/recipes/kinds")
    recipe = parse_recipe({"kind": "sample", "model": model, "seed": seed})
    assert isinstance(recipe, Sample)
    return recipe
