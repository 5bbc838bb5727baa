"""`/person.png` and `/wander.png`: what a generator dreams of, and what lies between, at once."""

from typing import Annotated, Any
from urllib.parse import urlencode

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from phosphene.core.errors import NotFound, RecipeError
from phosphene.studio.recipe import Sample, Walk
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.recipes.fields import drawn_seed
from phosphene.studio.references import PREFIX
from phosphene.studio.store import sha256
from phosphene.web.admission import admit_recipe
from phosphene.web.failures import Refused
from phosphene.web.guard import PNG
from phosphene.web.house import Here, House

router = APIRouter(tags=["generators"])

FACES = "faces-dcgan"
Seed = Annotated[int | None, Query(ge=0, le=2**63 - 1, description="drawn, if not given")]
STYLED = ("stylegan2", "stylegan3")  # architectures of models with styles
Truncation = Annotated[
    float | None,
    Query(
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="psi of a model with styles; of others, how large a component of z may be",
    ),
]
Model = Annotated[str, Query(max_length=80, description="a generator of the registry")]
Of = Annotated[int, Query(ge=0, le=2**63 - 1, description="of what the path does not say")]
Place = Annotated[str, Query(min_length=1, max_length=2000, description="as `z = 7`, or a mixture")]


@router.get("/person.png", response_class=Response)
async def person(
    here: Here,
    request: Request,
    seed: Seed = None,
    model: Model = FACES,
    truncation: Truncation = None,
) -> Response:
    """Paint a face, or what another generator dreams of: a new one each time, or a seed's."""
    _demand_own(here, request)
    chosen = drawn_seed() if seed is None else seed
    recipe = sample_of(here, model, chosen, truncation)
    png = await painted(here, recipe)
    headers = {
        "content-location": f"/person.png?{urlencode(dream_fields(model, chosen, truncation))}",
        "cache-control": "no-store" if seed is None else "private, max-age=3600",
        "etag": f'"{sha256(png)}"',
    }
    return Response(png, media_type=PNG, headers=headers)


@router.get("/wander.png", response_class=Response)
async def wander(
    here: Here, request: Request, path: Place, seed: Of = 0, model: Model = FACES
) -> Response:
    """Paint where a path begins: any place of a latent space. The same address is the same picture.

    The first time that a path moves along a direction it is looked for, which can take a while.
    """
    _demand_own(here, request)
    png = await painted(here, place_of(here, model, seed, path))
    headers = {"cache-control": "private, max-age=3600", "etag": f'"{sha256(png)}"'}
    return Response(png, media_type=PNG, headers=headers)


async def painted(here: House, recipe: Sample | Walk) -> bytes:
    """The PNG of a recipe, at once; see `Live.ask`."""
    # of threads of its own: those of other routes must not wait for models
    return await run_sync(here.live.ask, recipe, limiter=CapacityLimiter(1))


def sample_of(here: House, model: str, seed: int, truncation: float | None = None) -> Sample:
    """The recipe of one picture.

    Args:
        truncation: psi of a model with styles (1 changes nothing); of others, the threshold that
            no component of z exceeds; None is the picture as it is.
    Raises:
        NotFound: no such model in the registry.
        RecipeError: a truncation that the model cannot have.
    """
    _demand_model(here, model)
    fields: dict[str, Any] = {"kind": "sample", "model": model, "seed": seed}
    if truncation is not None:
        fields["truncation_psi" if is_styled(here, model) else "truncation_threshold"] = truncation
    recipe = parse_recipe(fields)
    assert isinstance(recipe, Sample)
    return recipe


def is_styled(here: House, model: str) -> bool:
    """Whether a model of the registry has styles, by its card."""
    card = here.cards().get(model)
    return card is not None and card.arch in STYLED


def dream_fields(model: str, seed: int, truncation: float | None = None) -> dict[str, str]:
    """What the address of one picture says, here and on the page Person."""
    also = {} if truncation is None else {"truncation": f"{truncation:g}"}
    return {"seed": str(seed), "model": model, **also}


def place_of(here: House, model: str, seed: int, path: str) -> Walk:
    """The recipe of the picture at which a path begins: a walk of one frame.

    Args:
        seed: Of what the path does not say.
    Raises:
        NotFound: no such model in the registry.
        RecipeError: the path names a picture, which only a job can open.
    """
    _demand_model(here, model)
    recipe = parse_recipe(still(model, seed, path))
    assert isinstance(recipe, Walk)
    admit_recipe(recipe, here.cards())
    if PREFIX in path:
        raise RecipeError("path: names a picture; POST it to /api/recipes")
    return recipe


def still(model: str, seed: int, path: str) -> dict[str, Any]:
    """A walk of one frame, as data of a recipe."""
    whole = {"kind": "walk", "model": model, "path": path, "seed": seed}
    return {**whole, "num_frames": 1, "times": [0.0]}


def _demand_own(here: House, request: Request) -> None:
    """Refuse other sites: each picture is work, and their pages must not ask for thousands.

    Raises:
        Refused: the request is of another site's page.
    """
    if here.settings.guard.lends(request.url.path, request.headers):
        return
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Refused(403, "wrong_origin", "requests of other sites' pages are refused")


def _demand_model(here: House, model: str) -> None:
    if model not in here.model_names():
        raise NotFound(f"model: no {model[:80]!r} in the registry; GET /api/recipes/kinds")
