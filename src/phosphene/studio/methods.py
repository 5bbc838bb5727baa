"""What each method paints with: a decoder, a generator, a denoiser, and what comes with it."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from torch import nn

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.latent import Latent
from phosphene.core.protocols import Autoencoder, Illustrator, Told
from phosphene.core.runtime import painting_dtype
from phosphene.prompting.steering import Steered
from phosphene.studio.defaults import GUIDING, STEERING, Defaults, defaults_of
from phosphene.studio.provenance import dtype_of
from phosphene.studio.recipe import Imagine
from phosphene.studio.recipes.imagine import (
    OF_DENOISERS,
    OF_OPTIMISERS,
    OF_STEERED_DENOISERS,
    OF_TOKENS,
)
from phosphene.zoo import Zoo

Model = TypeVar("Model")


@runtime_checkable
class Canvas(Autoencoder, Protocol):
    """An autoencoder with a codebook that paints any size."""

    factor: int

    def grid_of(self, height: int, width: int) -> tuple[int, int]: ...

    def lookup(self, tokens: Latent) -> Latent: ...


class Own(NamedTuple):
    """What comes with a model: defaults, height and width in px, what its weights are kept in."""

    defaults: Defaults
    size: tuple[int, int]
    dtype: str


@runtime_checkable
class Guide(Illustrator, Told, Protocol):
    """A model that denoises by words, and whose denoiser can be had."""


Paints = Canvas | Steered | Guide
DEFAULT_SIZE = 256  # px, of models whose card names none


def _paints_with_codes(recipe: Imagine, zoo: Zoo, place: torch.device) -> tuple[Paints, Own]:
    """vqgan-clip: an autoencoder's codes, any size."""
    decoder = frozen(zoo.load(recipe.model_name, place, painting_dtype(place)))
    if not isinstance(decoder, Canvas):
        raise Unsupported(
            f"{recipe.model_name[:80]!r} cannot paint by vqgan-clip: it is no autoencoder with a "
            "codebook; `phosphene models` shows the family of each"
        )
    side = zoo.card(recipe.model_name).size or DEFAULT_SIZE
    default = defaults_of(recipe)
    return decoder, Own(default, (side, side), dtype_of(decoder))


def _steers_a_generator(recipe: Imagine, zoo: Zoo, place: torch.device) -> tuple[Paints, Own]:
    """gan-clip: z and classes, or the styles, of a GAN, in its own size."""
    generator = frozen(zoo.load(recipe.model_name, place))
    try:
        decoder = Steered(generator)
    except Unsupported:
        raise Unsupported(
            f"{recipe.model_name[:80]!r} cannot paint by gan-clip: it is no generator with a "
            "differentiable decode(); name one, for example --model faces-dcgan"
        ) from None
    height, width = decoder.resolution
    for name, asked, is_ in (("height", recipe.height, height), ("width", recipe.width, width)):
        if asked not in (None, is_):
            raise RecipeError(
                f"{name}: {recipe.model_name[:80]!r} paints {width} x {height} px, not {asked}; "
                "leave the size out"
            )
    if recipe.init_image or recipe.zoom:
        what = "init_image" if recipe.init_image else "zoom"
        raise Unsupported(
            f"{what}: gan-clip cannot go on from a picture; `phosphene invert` finds one in the "
            "generator, and vqgan-clip paints on from any"
        )
    return decoder, Own(STEERING, (height, width), dtype_of(generator))


def _steers_a_denoiser(recipe: Imagine, zoo: Zoo, place: torch.device) -> tuple[Paints, Own]:
    """guided-diffusion: a denoiser that is told words, pushed by perceptors, in its own size."""
    model = frozen(zoo.load(recipe.model_name, place, painting_dtype(place)))
    if not isinstance(model, Guide):
        raise Unsupported(
            f"{recipe.model_name[:80]!r} cannot paint by guided-diffusion: it is no denoiser that "
            "can be steered; `phosphene models` shows the family of each"
        )
    habits = model.habits
    for name, asked, is_ in (
        ("height", recipe.height, habits.height),
        ("width", recipe.width, habits.width),
    ):
        if asked not in (None, is_):
            raise RecipeError(
                f"{name}: {recipe.model_name[:80]!r} paints {habits.width} x {habits.height} px, "
                f"not {asked}; leave the size out"
            )
    return model, Own(GUIDING, (habits.height, habits.width), dtype_of(model))


METHODS = {
    "vqgan-clip": _paints_with_codes,
    "gan-clip": _steers_a_generator,
    "guided-diffusion": _steers_a_denoiser,
}


def demand_own_fields(recipe: Imagine) -> None:
    """See that nothing is asked for that the recipe's method, a search, does not have.

    Raises:
        RecipeError: names the field.
    """
    demand_plain(recipe, OF_TOKENS, f"{recipe.chosen_method} draws no tokens", "--method tokens")
    if recipe.cut_policy != "overview+inner":
        what = f"{recipe.cut_policy} cutouts have none"
        demand_plain(recipe, ("cut_overview", "cut_smallest"), what, "--cut-policy overview+inner")
    if recipe.chosen_method == "guided-diffusion":
        what = "guided-diffusion has none"
        demand_plain(recipe, OF_OPTIMISERS, what, "--method vqgan-clip")
        demand_plain(recipe, ("sampler", "mask"), what, "--method diffusion")
        return
    what = f"{recipe.chosen_method} does not denoise"
    demand_plain(recipe, OF_DENOISERS, what, "--method diffusion")
    demand_plain(recipe, OF_STEERED_DENOISERS, what, "--method guided-diffusion")


def demand_plain(recipe: Imagine, fields: Iterable[str], reason: str, instead: str) -> None:
    """See that nothing is asked for that the recipe's method does not have.

    Raises:
        RecipeError: names the field.
    """
    for name in fields:
        if getattr(recipe, name) != type(recipe).model_fields[name].default:
            raise RecipeError(f"{name}: {reason}; leave it out, or take {instead}")


def frozen(model: Model) -> Model:
    """Only the latent learns: gradients of parameters would cost a third of each iteration."""
    if isinstance(model, nn.Module):
        model.requires_grad_(False).eval()
    return model
