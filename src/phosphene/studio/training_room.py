"""Is there memory enough to train? Asked before anything is built: the least that it would take.

What does not fit would not fail: the system would kill the process, without a word. These are
bounds from below, so a training that passes may still not fit.
"""

from collections.abc import Callable

import torch
from torch import nn

from phosphene.core.errors import RecipeError
from phosphene.core.memory import available_memory, rehearsed
from phosphene.studio.recipe import Train

FLOAT_BYTES = 4
KEPT = 3  # beside weights and gradients: Adam's two moments, and the average of a generator
GIB = 2**30


def check_pictures(recipe: Train, share: int = 1) -> None:
    """Check that a batch of pictures fits into memory.

    Args:
        share: Processes that share the batch.
    Raises:
        RecipeError: it does not; says how much it needs at least, and what there is.
    """
    height = recipe.size if recipe.height is None else recipe.height
    pictures = -(-recipe.batch_size // share)
    _demand(recipe, pictures * recipe.channels * height * recipe.size * FLOAT_BYTES)


def check_networks(
    recipe: Train,
    paint: Callable[[], nn.Module],
    judge: Callable[[], nn.Module] | None,
    shapes: tuple[int, int],
    share: int = 1,
) -> None:
    """Check that a step of a GAN fits: it is rehearsed without numbers, which takes no memory.

    Args:
        paint: Builds the generating network.
        judge: Builds its discriminator; None leaves it out.
        shapes: Numbers of z, and of classes.
        share: Parts that the batch is worked through in, here or in other processes.
    Raises:
        RecipeError: as for `check_pictures`.
    """
    z_dim, num_classes = shapes
    pictures = -(-recipe.batch_size // share)
    kept = 0

    def step() -> None:
        nonlocal kept
        with torch.device("meta"):
            network = paint()
            critic = judge() if judge is not None else None
            for module in (network, critic):
                learnt = module.parameters() if module is not None else ()
                kept += KEPT * FLOAT_BYTES * sum(weight.numel() for weight in learnt)
            classes = torch.empty(pictures, num_classes) if num_classes else None
            images = network(torch.empty(pictures, z_dim), classes)
            seen = images if critic is None else critic(images, classes)
            torch.autograd.backward(seen.sum())

    try:
        with torch.enable_grad(), torch.random.fork_rng(devices=[]):
            taken = rehearsed(step).peak
    except (NotImplementedError, RuntimeError):
        return  # a network that cannot be rehearsed may well fit
    _demand(recipe, taken + kept)


def _demand(recipe: Train, needed: int) -> None:
    there = available_memory(torch.device("cpu"))
    if there is not None and needed > there:
        height = recipe.size if recipe.height is None else recipe.height
        raise RecipeError(
            f"batch_size: {recipe.batch_size} pictures of {recipe.size} x {height} px need "
            f"{needed / GIB:.1f} GiB of memory or more with this network, and {there / GIB:.1f} "
            "GiB are available; ask for fewer, smaller ones or a smaller network"
        )
