"""Is there memory enough for a picture? Asked before anything starts.

A size that does not fit would not fail: the system would kill the process in the middle, without a
word. So an iteration is rehearsed, and what it would take is compared with what there is.
"""

import dataclasses
import math

import torch

from phosphene.core.errors import RecipeError
from phosphene.core.latent import Latent
from phosphene.core.memory import available_memory, rehearsed
from phosphene.core.rng import Rng
from phosphene.prompting.steering import Steered
from phosphene.studio.methods import Guide
from phosphene.studio.stage import Stage
from phosphene.studio.start import NUM_TRIES

# Kernels copy into other layouts and precisions, and the allocator leaves gaps: of the size of the
# largest tensors, and about so many. Measured over estimated at 128, 512, 768 and 1024 px of
# emoji-vqgan (0.15, 0.6, 2.0 and 5.1 of 0.23, 0.77, 2.2 and 5.7 GB): docs/log.md.
GAPS = 6
MARGIN = 1.1
# Beyond any model we know: a picture that needs less even so is not rehearsed, which takes a second
PIXEL_BYTES = 100_000
VIEW_PIXEL_BYTES = 20_000
SMALLEST = 16  # px, of a recipe
NEAR = 0.85  # share of what there is at which a size is large enough
MAX_TRIES = 8
GIB = 2**30


def check_room(stage: Stage) -> None:
    """Check that an iteration fits into memory, as far as can be told.

    A model that is steered paints its own size, which was chosen with the model: it passes.

    Raises:
        RecipeError: it does not; says how much it needs, what there is, and which size fits.
    """
    if isinstance(stage.decoder, Steered | Guide):
        return
    there = available_memory(stage.device)
    height, width = stage.size
    if there is None or _at_most(stage) <= there:
        return
    try:
        needed = estimate(stage, height, width)
        if needed <= there:
            return
        fitting = _largest(stage, there, needed)
    except (NotImplementedError, RuntimeError):
        return  # a model that cannot be rehearsed may well fit
    advice = "free some memory, or ask for fewer cutouts"
    if fitting is not None:
        advice = f"the largest size of this shape that fits is {fitting[0]} x {fitting[1]}"
    raise RecipeError(
        f"a picture of {width} x {height} px needs about {needed / GIB:.1f} GiB of memory, and "
        f"{there / GIB:.1f} GiB are available; {advice}"
    )


def estimate(stage: Stage, height: int, width: int) -> int:
    """Bytes that an iteration takes at a size in px, at most, above what the models take.

    Raises:
        NotImplementedError, RuntimeError: a model does what cannot be rehearsed.
    """
    channels = stage.canvas.spec.shape[0]
    count = NUM_TRIES if stage.recipe.start == "best-of" else 1
    rng = Rng(tuple(range(count)))

    def iteration() -> None:
        shape = (count, channels or 1, *stage.canvas.grid_of(height, width))
        codes = torch.empty(*shape, device="meta", requires_grad=True)
        latent = Latent(stage.canvas.spec.space, codes)
        images = stage.canvas.decode(stage.canvas.snap(latent))
        seen = []
        for gaze in stage.gazes:
            # noise would be drawn for real; it is as large as the views, which count
            views = dataclasses.replace(gaze.cutouts, noise=0.0)(images, rng)
            seen.append(gaze.perceptor.encode_image(views).float().sum())
        torch.autograd.backward(torch.stack(seen).sum())

    with torch.enable_grad():
        taken = rehearsed(iteration)
    return int(MARGIN * (taken.peak + GAPS * taken.largest))


def _at_most(stage: Stage) -> int:
    """A bound that costs nothing to know."""
    height, width = stage.size
    views = sum(gaze.cutouts.count * gaze.cutouts.size**2 for gaze in stage.gazes)
    count = NUM_TRIES if stage.recipe.start == "best-of" else 1
    return count * (height * width * PIXEL_BYTES + views * VIEW_PIXEL_BYTES)


def _largest(stage: Stage, there: int, needed: int) -> tuple[int, int] | None:
    """Width and height in px of the recipe's shape, in whole codes, that fit; None if none does.

    Need is nearly a power of size, so the crossing is sought on a line between logarithms.
    """
    factor = stage.canvas.factor
    height, width = stage.size

    def sides(scale: float) -> tuple[int, int]:
        return tuple(max(SMALLEST, int(scale * s) // factor * factor) for s in (height, width))  # type: ignore[return-value]

    low, high = SMALLEST / max(height, width), 1.0
    below, above = estimate(stage, *sides(low)), needed
    if below > there:
        return None
    for _ in range(MAX_TRIES):
        if below > NEAR * there or above <= below:
            break
        share = math.log(there * (1 + NEAR) / 2 / below) / math.log(above / below)
        middle = low * (high / low) ** share
        found = estimate(stage, *sides(middle))
        if found <= there:
            low, below = middle, found
        else:
            high, above = middle, found
    return sides(low)[::-1]
