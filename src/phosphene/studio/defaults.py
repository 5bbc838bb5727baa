"""What a recipe of `imagine` leaves to the model: chosen by looking (docs/log.md says at what)."""

from dataclasses import dataclass

from phosphene.studio.recipe import Imagine
from phosphene.studio.recipes.imagine import Optimiser


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a recipe leaves to the model."""

    iterations: int = 500
    optimiser: Optimiser = "adam"
    learning_rate: float = 0.1
    num_cutouts: int = 32
    start_noise: float | None = None  # as at the end
    repaint_every: int = 0
    guidance_scale: float | None = None
    push: float | None = None
    rounds: int | None = None
    look_every: int | None = None


DEFAULTS = {
    "emoji-vqgan": Defaults(
        iterations=50, optimiser="novograd", learning_rate=0.015, num_cutouts=12
    )
}
BLANKS = ("clouds", "codebook")  # starts that show nothing yet
FROM_BLANK = {  # what those need instead
    "emoji-vqgan": Defaults(
        iterations=60,
        optimiser="pyramid",
        learning_rate=0.05,
        num_cutouts=12,
        start_noise=1.0,
        repaint_every=10,
    )
}
FROM_FLOW = {  # the sketch has its shapes: what is missing are surfaces
    "emoji-vqgan": Defaults(
        iterations=40, optimiser="novograd", learning_rate=0.03, num_cutouts=12, start_noise=0.5
    )
}
STEERING = Defaults(iterations=150, learning_rate=0.05, num_cutouts=12)  # of gan-clip
GUIDING = Defaults(  # of guided-diffusion
    iterations=30,
    num_cutouts=8,
    start_noise=0.3,
    guidance_scale=3.0,
    push=0.15,
    rounds=1,
    look_every=2,
)


def defaults_of(recipe: Imagine) -> Defaults:
    """Those of the recipe's model, by where it starts."""
    table = FROM_BLANK if recipe.start in BLANKS else DEFAULTS
    if recipe.start == "flow":
        table = FROM_FLOW
    return table.get(recipe.model_name, Defaults())
